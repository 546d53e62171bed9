// SPDX-License-Identifier: GPL-2.0-or-later
// A pack that is always the same, in a job whose key is all zeros, and blocks that say what they like under a
// valid seal.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <format>

#include "crypto/hkdf.hpp"
#include "fuzz.hpp"
#include "memory_volume.hpp"
#include "store/blocks.hpp"
#include "store/images.hpp"
#include "store/index.hpp"

namespace ckpt::fuzz {

inline const store::PackName k_pack{0, std::string(32, 'b')};
inline const std::string k_index_id(32, 'a');
inline constexpr std::uint64_t k_pages = 70; // two blocks
inline constexpr const char* k_index_path = "job/index";

// What such an input begins with.
struct PackInput {
    std::uint16_t files = 0;
    std::uint32_t bytes = 0;
    std::uint16_t split = 0;   // so long is what says the files; the tables of the packs are behind it
    std::uint16_t block = 0;   // and so long, plus 1, a block of both
    std::uint8_t unpacked = 0; // 1: the first block says itself how it is packed
    std::uint16_t damage = 0;  // where a byte of the pack is wrong; 0: nowhere

    static PackInput from(Numbers& numbers) {
        PackInput input;
        input.files = static_cast<std::uint16_t>(numbers.take(2));
        input.bytes = static_cast<std::uint32_t>(numbers.take(4));
        input.split = static_cast<std::uint16_t>(numbers.take(2));
        input.block = static_cast<std::uint16_t>(numbers.take(2));
        input.unpacked = static_cast<std::uint8_t>(numbers.take(1));
        input.damage = static_cast<std::uint16_t>(numbers.take(2));
        return input;
    }
    [[nodiscard]] std::string text() const {
        std::string text;
        const auto put = [&](std::uint64_t value, unsigned size) {
            for (unsigned i = size; i-- > 0;)
                text += static_cast<char>(value >> (8 * i));
        };
        put(files, 2), put(bytes, 4), put(split, 2), put(block, 2), put(unpacked, 1), put(damage, 2);
        return text;
    }
};

inline std::string pack_page(std::uint64_t number) {
    std::string page;
    while (page.size() < store::k_page_size)
        page += std::format("page {}, {} ", number, page.size() * (number + 7));
    page.resize(store::k_page_size);
    return page;
}

// The table of the pack, which lies in `volume` then.
inline store::PackTable write_pack(store::test::MemoryVolume& volume) {
    require(volume.make_dir("job").has_value() && volume.make_dir("job/packs").has_value());
    auto file = volume.create(pack_path("job", k_pack));
    auto sealer = store::BlockSealer::start({}, k_pack.id, store::BlockKind::pack, 1);
    require(file && sealer);
    store::BlockWriter writer(std::move(*file), std::move(*sealer));
    for (std::uint64_t page = 0; page < k_pages;) {
        std::string block;
        for (; page < k_pages && block.size() < store::k_block_size; ++page)
            block += pack_page(page);
        require(writer.write(block).has_value());
    }
    require(writer.finish().has_value());
    return {k_pack, k_pages, k_pages, writer.lengths()};
}

// Block `number` of the index: `inside` as docs/format-images.md has it, encrypted and authenticated.
class IndexCipher {
public:
    IndexCipher() {
        const store::SealKey zeros{};
        Secret key;
        require(
            hkdf_sha256(zeros.secret.bytes(), "slurm-checkpoint/2", "blocks|" + k_index_id, key.writable())
                .has_value());
        require(EVP_EncryptInit_ex(m_context, EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr) == 1);
    }
    IndexCipher(const IndexCipher&) = delete;
    IndexCipher& operator=(const IndexCipher&) = delete;
    IndexCipher(IndexCipher&&) = delete;
    IndexCipher& operator=(IndexCipher&&) = delete;
    ~IndexCipher() { EVP_CIPHER_CTX_free(m_context); }

    std::string seal(unsigned char number, std::string_view inside) {
        const std::array<unsigned char, 12> nonce{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number};
        const std::string_view kind = "index";
        std::string sealed(inside.size() + 16, '\0');
        const auto octets = [](auto* bytes) {
            return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes));
        };
        int size = 0;
        require(EVP_EncryptInit_ex(m_context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
                EVP_EncryptUpdate(m_context, nullptr, &size, octets(kind.data()),
                                  static_cast<int>(kind.size())) == 1 &&
                EVP_EncryptUpdate(m_context, octets(sealed.data()), &size, octets(inside.data()),
                                  static_cast<int>(inside.size())) == 1 &&
                EVP_EncryptFinal_ex(m_context, octets(sealed.data()) + size, &size) == 1 &&
                EVP_CIPHER_CTX_ctrl(m_context, EVP_CTRL_GCM_GET_TAG, 16, sealed.data() + inside.size()) == 1);
        return sealed;
    }

private:
    EVP_CIPHER_CTX* m_context = EVP_CIPHER_CTX_new();
};

} // namespace ckpt::fuzz
