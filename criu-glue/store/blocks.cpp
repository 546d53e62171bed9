// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/blocks.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>

namespace ckpt::store {
namespace {

std::span<const std::uint32_t> stripe_of(std::span<const std::uint32_t> lengths, std::uint64_t stripe) {
    const std::size_t first = stripe * k_stripe;
    return lengths.subspan(first, std::min(k_stripe, lengths.size() - first));
}

std::uint64_t sum(std::span<const std::uint32_t> lengths) {
    std::uint64_t all = 0;
    for (const std::uint32_t length : lengths)
        all += length;
    return all;
}

// The parity of a stripe is as long as its longest block.
std::uint32_t parity_length(std::span<const std::uint32_t> stripe) {
    return std::ranges::max(stripe);
}

std::uint64_t stripes_in(std::span<const std::uint32_t> lengths) {
    return (lengths.size() + k_stripe - 1) / k_stripe;
}

// Words at a time; memcpy is how unaligned words are read.
void xor_into(char* to, std::string_view from) {
    std::size_t at = 0;
    for (; at + sizeof(std::uint64_t) <= from.size(); at += sizeof(std::uint64_t)) {
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        std::memcpy(&a, to + at, sizeof a);
        std::memcpy(&b, from.data() + at, sizeof b);
        a ^= b;
        std::memcpy(to + at, &a, sizeof a);
    }
    for (; at < from.size(); ++at)
        to[at] = static_cast<char>(to[at] ^ from[at]);
}

// What is wrong with the volume is wrong with the file.
tl::unexpected<Error> of_source(Error error) {
    if (error.code == Code::deadline && error.errnum == 0) error.errnum = ETIMEDOUT; // 0 means damage
    if (error.code != Code::internal) error.code = Code::store_corrupt;
    return tl::unexpected(std::move(error));
}

} // namespace

std::uint64_t stored_size(std::span<const std::uint32_t> lengths) {
    std::uint64_t size = sum(lengths);
    for (std::uint64_t stripe = 0; stripe < stripes_in(lengths); ++stripe)
        size += parity_length(stripe_of(lengths, stripe));
    return size;
}

BlockWriter::BlockWriter(std::unique_ptr<NewFile> file, BlockSealer sealer)
    : m_file(std::move(file)), m_sealer(std::move(sealer)) {}

Status BlockWriter::put(std::string_view bytes) {
    CKPT_CHECK(m_file->write(bytes));
    m_stored += bytes.size();
    return {};
}

Status BlockWriter::write(std::string_view plain) {
    CKPT_TRY(const std::string_view sealed, m_sealer.seal(m_lengths.size(), plain));
    CKPT_CHECK(put(sealed));
    if (m_parity.size() < sealed.size()) m_parity.resize(sealed.size(), '\0');
    xor_into(m_parity.data(), sealed);
    m_lengths.push_back(static_cast<std::uint32_t>(sealed.size()));
    return m_lengths.size() % k_stripe == 0 ? end_stripe() : Status{};
}

Status BlockWriter::end_stripe() {
    CKPT_CHECK(put({m_parity.data(), m_parity.size()}));
    m_parity.clear();
    return {};
}

Status BlockWriter::finish() {
    if (!m_parity.empty()) CKPT_CHECK(end_stripe());
    return m_file->finish();
}

BlockReader::BlockReader(std::unique_ptr<OldFile> file, BlockOpener opener,
                         std::span<const std::uint32_t> lengths)
    : m_file(std::move(file)), m_opener(std::move(opener)), m_lengths(lengths) {
    std::uint64_t at = 0;
    m_stripes.reserve(stripes_in(lengths));
    for (std::uint64_t stripe = 0; stripe < stripes_in(lengths); ++stripe) {
        m_stripes.push_back(at);
        const auto of_it = stripe_of(lengths, stripe);
        at += sum(of_it) + parity_length(of_it);
    }
}

Result<BlockReader> BlockReader::open(Volume& volume, const std::string& path, BlockOpener opener,
                                      std::span<const std::uint32_t> lengths) {
    const auto possible = [](std::uint32_t length) {
        return length > k_seal_overhead && length <= k_block_size + k_seal_overhead;
    };
    if (!std::ranges::all_of(lengths, possible))
        return fail(Code::store_corrupt, "a block of an impossible length");
    auto file = volume.open(path);
    if (!file) return of_source(std::move(file).error());
    // A shorter one lacks blocks; maybe parity makes up for that.
    if ((*file)->size() > stored_size(lengths)) return fail(Code::store_corrupt, "longer than it was");
    return BlockReader(std::move(*file), std::move(opener), lengths);
}

std::uint64_t BlockReader::offset_of(std::uint64_t number) const {
    const std::uint64_t stripe = number / k_stripe;
    return m_stripes[stripe] + sum(m_lengths.subspan(stripe * k_stripe, number % k_stripe));
}

// False: these bytes are lost, by the medium (EIO) or because the file is too short.
Result<bool> BlockReader::fetch(std::uint64_t at, std::span<char> into) {
    const auto got = m_file->read_at(at, into);
    if (got) return *got == into.size();
    if (got.error().errnum == EIO) {
        m_unreadable = true;
        return false;
    }
    return of_source(got.error());
}

Status BlockReader::read(std::uint64_t number, std::vector<char>& plain) {
    if (number >= m_lengths.size()) return fail(Code::store_corrupt, "it has no such block");
    m_unreadable = false;
    m_sealed.resize(m_lengths[number]);
    CKPT_TRY(const bool there, fetch(offset_of(number), m_sealed));
    if (there) {
        CKPT_TRY(const bool authentic, m_opener.open(number, {m_sealed.data(), m_sealed.size()}, plain));
        if (authentic) return {};
    }
    return heal(number, plain);
}

// Everything else in the stripe, parity included, XORed is the block; the tag tells whether it is.
Status BlockReader::heal(std::uint64_t number, std::vector<char>& plain) {
    const auto lost = [&] {
        return tl::unexpected(Error{Code::store_corrupt,
                                    std::format("block {} is damaged, and so is another one near it", number),
                                    {},
                                    m_unreadable ? EIO : 0});
    };
    const std::uint64_t stripe = number / k_stripe;
    const auto lengths = stripe_of(m_lengths, stripe);
    std::uint64_t at = m_stripes[stripe];
    std::vector<char> block(parity_length(lengths));
    for (std::size_t i = 0; i <= lengths.size(); ++i) {
        const std::size_t length = i < lengths.size() ? lengths[i] : block.size();
        if (i != number % k_stripe) {
            m_sealed.resize(length);
            CKPT_TRY(const bool there, fetch(at, m_sealed));
            if (!there) return lost();
            xor_into(block.data(), {m_sealed.data(), m_sealed.size()});
        }
        at += length;
    }
    CKPT_TRY(const bool authentic, m_opener.open(number, {block.data(), m_lengths[number]}, plain));
    if (!authentic) return lost();
    m_healed.insert(number);
    return {};
}

} // namespace ckpt::store
