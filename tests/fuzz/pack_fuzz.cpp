// SPDX-License-Identifier: GPL-2.0-or-later
// Indexes of images that are authentic and nonsense all the same, over a pack that is whole or damaged in one
// place: whoever has the key of a job could write them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "fuzz.hpp"
#include "os/fd.hpp"
#include "pack_place.hpp"

using namespace ckpt;
using namespace ckpt::store;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_blocks_max = 200;

// What was written into `file` has lengths.
class Index {
public:
    Index(ImagesEntry& entry, std::uint16_t block, bool unpacked)
        : m_entry(entry), m_block(std::size_t{block} + 1), m_own(unpacked) {}
    void add(std::string_view text) {
        for (; !text.empty() && m_entry.blocks.size() < k_blocks_max;
             text.remove_prefix(std::min(m_block, text.size()))) {
            std::string inside(m_own ? "" : std::string(1, '\0'));
            m_own = false;
            inside += text.substr(0, m_block);
            const std::string sealed =
                m_cipher.seal(static_cast<unsigned char>(m_entry.blocks.size()), inside);
            m_entry.blocks.push_back(static_cast<std::uint32_t>(sealed.size()));
            stored += sealed;
        }
    }
    std::string stored;

private:
    ImagesEntry& m_entry;
    std::size_t m_block;
    bool m_own;
    fuzz::IndexCipher m_cipher;
};

// What is verified can be unpacked, into as many bytes.
void require_unpacked(const ImagesPlace& place, const ImagesEntry& entry, std::uint64_t bytes) {
    std::string name = "/dev/shm/pack_fuzz-XXXXXX";
    fuzz::require(::mkdtemp(name.data()) != nullptr);
    const Fd dir(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto read = unseal_images(place, entry, dir.get());
    fuzz::require(read.has_value() && read->bytes == bytes);
    std::uint64_t size = 0;
    std::size_t files = 0;
    for (const auto& file : fs::directory_iterator(name)) {
        size += file.file_size();
        ++files;
    }
    fs::remove_all(name);
    fuzz::require(size == bytes && files == entry.files);
}

} // namespace

FUZZ_TARGET(std::string_view text) {
    static store::test::MemoryVolume volume;
    static const PackTable table = fuzz::write_pack(volume);
    static const std::string pack = *volume.files.at(pack_path("job", fuzz::k_pack));
    fuzz::Numbers numbers(text);
    const auto input = fuzz::PackInput::from(numbers);
    ImagesEntry entry;
    entry.index_id = fuzz::k_index_id;
    entry.files = input.files;
    entry.bytes = input.bytes;
    entry.packs = {fuzz::k_pack};
    Index index(entry, input.block, input.unpacked == 1);
    index.add(numbers.rest().substr(0, input.split));
    entry.tables_at = static_cast<std::uint32_t>(entry.blocks.size());
    if (input.split < numbers.rest().size()) index.add(numbers.rest().substr(input.split));
    volume.files[fuzz::k_index_path] = std::make_shared<std::string>(index.stored);
    std::string& there = *volume.files.at(pack_path("job", fuzz::k_pack));
    there = pack;
    if (input.damage != 0) there[input.damage % there.size()] ^= 0x20;
    const SealKey key{};
    const ImagesPlace place{volume, "job", fuzz::k_index_path, key};
    const auto read = verify_images(place, entry);
    if (!read) return fuzz::require_one_line(one_line(read.error()));
    fuzz::require(read->bytes == entry.bytes);
    require_unpacked(place, entry, read->bytes);
}
