// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/needs_json.hpp"

#include <algorithm>
#include <cstddef>

namespace ckpt::store {
namespace {

// More than any node has; nonsense must not grow on the way.
constexpr std::size_t k_flags_max = 1000;
constexpr std::size_t k_mounts_max = 1000;

Json to_object(const compat::Processor& cpu) {
    Json object = {{"machine", cpu.machine}, {"model", cpu.model}, {"flags", cpu.flags}};
    if (cpu.xsave_size != 0) {
        object["xsave_size"] = cpu.xsave_size;
        object["xsave_size_max"] = cpu.xsave_size_max;
        object["xfeatures"] = cpu.xfeatures;
    }
    return object;
}

bool read_cpu(const Json& object, compat::Processor& cpu) {
    Fields fields(object);
    cpu.machine = fields.text("machine");
    cpu.model = fields.text("model");
    for (const Json& flag : fields.list("flags")) {
        if (!flag.is_string() || cpu.flags.size() >= k_flags_max) return false;
        cpu.flags.push_back(flag.get<std::string>());
    }
    if (fields.has("xsave_size")) {
        cpu.xsave_size = fields.u32("xsave_size");
        cpu.xsave_size_max = fields.u32("xsave_size_max");
        cpu.xfeatures = fields.u64("xfeatures");
    }
    return fields.ok() && std::ranges::is_sorted(cpu.flags);
}

} // namespace

Json needs_to_json(const compat::Needs& needs) {
    Json mounts = Json::array();
    for (const compat::Mount& mount : needs.mounts)
        mounts.push_back({{"point", mount.point}, {"type", mount.type}});
    return {{"cpu", to_object(needs.cpu)}, {"kernel", needs.kernel}, {"mounts", std::move(mounts)}};
}

bool needs_from_json(const Json& object, compat::Needs& needs) {
    Fields fields(object);
    needs.kernel = fields.text("kernel");
    for (const Json& item : fields.list("mounts")) {
        Fields mount(item);
        needs.mounts.push_back({mount.text("point"), mount.text("type")});
        if (!mount.ok() || needs.mounts.size() > k_mounts_max) return false;
    }
    return fields.ok() && fields.has("cpu") && read_cpu(object["cpu"], needs.cpu);
}

void put_needs(const std::vector<PartEntry>& entries, Json& manifest) {
    std::vector<const compat::Needs*> different;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const compat::Needs& needs = entries[i].needs;
        if (!needs.is_known()) continue;
        const auto same = [&](const compat::Needs* other) { return *other == needs; };
        const auto at = std::ranges::find_if(different, same);
        manifest["parts"][i]["needs"] = at - different.begin();
        if (at == different.end()) different.push_back(&needs);
    }
    for (const compat::Needs* needs : different)
        manifest["needs"].push_back(needs_to_json(*needs));
}

bool take_needs(const Json& manifest, std::vector<PartEntry>& entries) {
    Fields fields(manifest);
    if (!fields.has("needs")) return true;
    std::vector<compat::Needs> different;
    for (const Json& item : fields.list("needs")) {
        if (different.size() >= entries.size() || !needs_from_json(item, different.emplace_back()))
            return false;
    }
    const Json& parts = fields.list("parts");
    for (std::size_t i = 0; i < std::min(entries.size(), parts.size()); ++i) {
        Fields part(parts[i]);
        if (!part.has("needs")) continue;
        const std::uint32_t which = part.u32("needs");
        if (!part.ok() || which >= different.size()) return false;
        entries[i].needs = different[which];
    }
    return fields.ok();
}

} // namespace ckpt::store
