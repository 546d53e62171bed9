// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/part_json.hpp"

#include <algorithm>
#include <limits>

#include "store/hex.hpp"

namespace ckpt::store {
namespace {

Json to_object(const ImagesEntry& images) {
    Json packs = Json::array();
    for (const PackName& pack : images.packs)
        packs.push_back({{"incarnation", pack.incarnation}, {"id", pack.id}});
    return {{"index", images.index_id}, {"blocks", images.blocks}, {"tables_at", images.tables_at},
            {"files", images.files},    {"bytes", images.bytes},   {"packs", std::move(packs)}};
}

bool is_id(std::string_view text) {
    return text.size() == 32 && std::ranges::all_of(text, [](char c) { return hex_value(c) >= 0; });
}

bool read_images(const Json& object, ImagesEntry& images) {
    Fields fields(object);
    images.index_id = fields.text("index");
    for (const Json& block : fields.list("blocks")) {
        if (!block.is_number_unsigned() ||
            block.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
            return false;
        images.blocks.push_back(block.get<std::uint32_t>());
    }
    images.tables_at = fields.u32("tables_at");
    images.files = fields.u32("files");
    images.bytes = fields.u64("bytes");
    for (const Json& item : fields.list("packs")) {
        Fields pack(item);
        images.packs.push_back({pack.u32("incarnation"), pack.text("id")});
        if (!pack.ok() || !is_id(images.packs.back().id)) return false;
    }
    return fields.ok() && is_id(images.index_id) && images.tables_at <= images.blocks.size();
}

} // namespace

Json part_to_json(const PartEntry& part) {
    Json object = {{"step", part.step_id},
                   {"task", part.task_id},
                   {"node", part.node},
                   {"frozen_us", part.frozen_us},
                   {"image_bytes", part.image_bytes},
                   {"processes", part.processes},
                   {"criu_version", part.criu_version},
                   {"images", to_object(part.images)}};
    if (part.stand_in != 0) object["stand_in"] = part.stand_in;
    return object;
}

bool part_from_json(const Json& object, PartEntry& part) {
    Fields fields(object);
    part.step_id = fields.u32("step");
    part.task_id = fields.u32("task");
    part.node = fields.text("node");
    part.frozen_us = fields.u64("frozen_us");
    part.image_bytes = fields.u64("image_bytes");
    part.processes = fields.u32("processes");
    part.criu_version = fields.text("criu_version");
    if (fields.has("stand_in")) {
        part.stand_in = fields.u64("stand_in");
        if (part.stand_in == 0) return false;
    }
    return fields.ok() && fields.has("images") && read_images(object["images"], part.images);
}

} // namespace ckpt::store
