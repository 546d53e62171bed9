// SPDX-License-Identifier: GPL-2.0-or-later
// Indexes and packs that are authentic and nonsense all the same: whoever has the key of a job could write
// them. The first byte says how long the index is; what follows are its blocks, sealed as they are, and those
// of the one pack.
#include <algorithm>

#include "fuzz.hpp"
#include "memory_volume.hpp"
#include "store/blocks.hpp"
#include "store/images.hpp"
#include "store/index.hpp"

using namespace ckpt;
using namespace ckpt::store;

namespace {

const std::string k_id(32, 'a');
const PackName k_pack{0, std::string(32, 'b')};

std::vector<std::uint32_t> write_sealed_blocks(Volume& volume, const std::string& path, const SealKey& key,
                                               const std::string& id, BlockKind kind, std::string_view text,
                                               std::size_t block) {
    auto file = volume.create(path);
    auto sealer = BlockSealer::start(key, id, kind, 1);
    fuzz::require(file && sealer);
    BlockWriter writer(std::move(*file), std::move(*sealer));
    for (; !text.empty(); text.remove_prefix(std::min(block, text.size())))
        fuzz::require(writer.write(text.substr(0, block)).has_value());
    fuzz::require(writer.finish().has_value());
    return writer.lengths();
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    fuzz::Numbers numbers(input);
    ImagesEntry entry;
    entry.tables_at = static_cast<std::uint32_t>(numbers.take(1));
    entry.files = static_cast<std::uint32_t>(numbers.take(1));
    entry.bytes = numbers.take(3);
    const std::size_t block = numbers.take(1) + 1;
    const std::string_view text = numbers.rest();
    const std::size_t index_size = text.size() - text.size() / 4;
    if (index_size == 0) return;
    store::test::MemoryVolume volume;
    fuzz::require(volume.make_dir("job").has_value() && volume.make_dir("job/packs").has_value());
    const SealKey key{};
    entry.index_id = k_id;
    entry.packs = {k_pack};
    entry.blocks = write_sealed_blocks(volume, "job/index", key, k_id, BlockKind::index,
                                       text.substr(0, index_size), block);
    write_sealed_blocks(volume, pack_path("job", k_pack), key, k_pack.id, BlockKind::pack,
                        text.substr(index_size), k_block_size);
    const auto read = verify_images({volume, "job", "job/index", key}, entry);
    if (!read) fuzz::require_one_line(one_line(read.error()));
}
