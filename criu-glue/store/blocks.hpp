// SPDX-License-Identifier: GPL-2.0-or-later
// A file of sealed blocks with parity: one damaged block in every stripe can be put right
// (docs/format-images.md, "Blocks"). The lengths of its blocks are kept elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"
#include "store/block_cipher.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

inline constexpr std::size_t k_stripe = 16; // blocks for each block of parity

// How long the file is that has blocks of these lengths.
std::uint64_t stored_size(std::span<const std::uint32_t> lengths);

class BlockWriter {
public:
    BlockWriter(std::unique_ptr<NewFile> file, BlockSealer sealer);
    Status write(std::string_view plain); // one block: 1 to k_block_size bytes
    Status finish();                      // durable after this
    [[nodiscard]] const std::vector<std::uint32_t>& lengths() const { return m_lengths; }
    [[nodiscard]] std::uint64_t stored() const { return m_stored; } // bytes written

private:
    Status put(std::string_view bytes);
    Status end_stripe();

    std::unique_ptr<NewFile> m_file;
    BlockSealer m_sealer;
    std::vector<std::uint32_t> m_lengths;
    std::vector<char> m_parity;
    std::uint64_t m_stored = 0;
};

class BlockReader {
public:
    // `lengths` has to outlive it. Whatever is wrong with the file, here and below, is Code::store_corrupt.
    static Result<BlockReader> open(Volume& volume, const std::string& path, BlockOpener opener,
                                    std::span<const std::uint32_t> lengths);
    Status read(std::uint64_t number, std::vector<char>& plain);
    [[nodiscard]] std::uint64_t blocks() const { return m_lengths.size(); }
    // Blocks put right so far. Parity is looked at only when it is needed.
    [[nodiscard]] std::uint64_t healed() const { return m_healed.size(); }

private:
    BlockReader(std::unique_ptr<OldFile> file, BlockOpener opener, std::span<const std::uint32_t> lengths);
    Result<bool> fetch(std::uint64_t at, std::span<char> into);
    Status heal(std::uint64_t number, std::vector<char>& plain);
    [[nodiscard]] std::uint64_t offset_of(std::uint64_t number) const;

    std::unique_ptr<OldFile> m_file;
    BlockOpener m_opener;
    std::span<const std::uint32_t> m_lengths;
    std::vector<std::uint64_t> m_stripes; // where each begins
    std::vector<char> m_sealed;
    std::set<std::uint64_t> m_healed;
    bool m_unreadable = false; // EIO while the last block was read
};

} // namespace ckpt::store
