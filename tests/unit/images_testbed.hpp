// SPDX-License-Identifier: GPL-2.0-or-later
// Images of a task that does not exist, a volume in memory to seal them into, and what comes back.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "memory_volume.hpp"
#include "os/fd.hpp"
#include "store/images.hpp"
#include "store/index_reader.hpp"

namespace ckpt::store::images_test {

namespace fs = std::filesystem;
using test::MemoryVolume;
using Files = std::map<std::string, std::string>; // name → content

// The same every time: the seed says which.
class Random : public std::mt19937_64 {
public:
    explicit Random(std::uint64_t seed) : std::mt19937_64(seed) {}
};

inline constexpr std::size_t k_page = 4096;

class Dir {
public:
    Dir() {
        std::string pattern = ::testing::TempDir() + "/ckpt-images-XXXXXX";
        m_path = ::mkdtemp(pattern.data());
        m_fd = Fd(::open(m_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    explicit Dir(const Files& files) : Dir() {
        for (const auto& [name, content] : files)
            std::ofstream(m_path / name, std::ios::binary) << content;
    }
    Dir(const Dir&) = delete;
    Dir& operator=(const Dir&) = delete;
    Dir(Dir&&) = delete;
    Dir& operator=(Dir&&) = delete;
    ~Dir() {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return m_path; }
    [[nodiscard]] int fd() const { return m_fd.get(); }
    [[nodiscard]] Files files() const {
        Files files;
        for (const auto& entry : fs::directory_iterator(m_path)) {
            std::ifstream in(entry.path(), std::ios::binary);
            files[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
        }
        return files;
    }

private:
    fs::path m_path;
    Fd m_fd;
};

inline std::string noise(Random& random, std::size_t size) {
    std::string bytes;
    bytes.reserve(size + 8);
    while (bytes.size() < size) {
        const std::uint64_t word = random();
        bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    bytes.resize(size);
    return bytes;
}

// A page of which half is noise.
inline std::string memory_page(Random& random) {
    std::string page = noise(random, k_page / 2);
    const std::string text = std::format("a page that says {:016x}; ", random());
    while (page.size() < k_page)
        page += text;
    page.resize(k_page);
    return page;
}

inline std::string memory(Random& random, std::size_t pages) {
    std::string bytes;
    for (std::size_t i = 0; i < pages; ++i)
        bytes += memory_page(random);
    return bytes;
}

// A pagemap as criu writes it.
class Pagemap {
public:
    explicit Pagemap(std::uint32_t pages_id) {
        put32(0x54564319);
        put32(0x56084025);
        message(field(1, pages_id));
    }
    // flags 4: the pages are in the file.
    Pagemap& entry(std::uint64_t page, std::uint64_t count, std::uint64_t flags = 4) {
        return message(field(1, page * k_page) + field(2, count & 0xffffffffU) + field(4, flags) +
                       field(5, count));
    }
    Pagemap& message(const std::string& bytes) {
        put32(static_cast<std::uint32_t>(bytes.size()));
        m_bytes += bytes;
        return *this;
    }
    static std::string field(unsigned number, std::uint64_t value) {
        std::string bytes(1, static_cast<char>(number << 3U));
        for (; value >= 0x80; value >>= 7U)
            bytes += static_cast<char>((value & 0x7fU) | 0x80U);
        bytes += static_cast<char>(value);
        return bytes;
    }
    [[nodiscard]] const std::string& bytes() const { return m_bytes; }

private:
    void put32(std::uint32_t value) { m_bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
    std::string m_bytes;
};

// Generations of one task of one job.
class Job {
public:
    explicit Job(std::uint64_t secret = 1) {
        m_key.id = "0011223344556677";
        Random random(secret);
        for (unsigned char& byte : m_key.secret.writable())
            byte = static_cast<unsigned char>(random());
        for (const char* dir : {"alpha", "alpha/1-aa", "alpha/1-aa/inc-0"})
            EXPECT_TRUE(volume.make_dir(dir));
    }
    [[nodiscard]] ImagesPlace place(int generation) {
        const std::string dir = std::format("alpha/1-aa/inc-0/gen-{:06}", generation);
        volume.dirs.insert(dir);
        return {volume, "alpha/1-aa", dir + "/index-0-0", m_key};
    }
    Result<SealedImages> seal(const Dir& source, int generation, const ImagesEntry* parent = nullptr) {
        const ImagesPlace here = place(generation);
        if (parent == nullptr) return seal_images(source.fd(), here, nullptr, 0, 1);
        const Parent before{place(generation - 1), *parent, static_cast<std::uint64_t>(generation)};
        return seal_images(source.fd(), here, &before, 0, 1);
    }
    Result<SealedImages> seal(const Files& files, int generation, const ImagesEntry* parent = nullptr) {
        return seal(Dir(files), generation, parent);
    }
    Result<ImagesRead> unseal(const ImagesEntry& entry, int generation, const Dir& target) {
        return unseal_images(place(generation), entry, target.fd());
    }
    Result<ImagesRead> verify(const ImagesEntry& entry, int generation) {
        return verify_images(place(generation), entry);
    }
    // The files of a generation; none when it does not restore.
    std::optional<Files> restored(const ImagesEntry& entry, int generation) {
        const Dir target;
        const auto read = unseal(entry, generation, target);
        EXPECT_TRUE(read) << one_line(read ? Error{} : read.error());
        if (!read) return std::nullopt;
        return target.files();
    }
    static std::string path(const PackName& pack) { return "alpha/1-aa/packs/" + pack_file_name(pack); }
    // Removes the packs that none of these names.
    void prune(const std::vector<const ImagesEntry*>& kept) {
        std::set<std::string> needed;
        for (const ImagesEntry* entry : kept)
            for (const PackName& pack : entry->packs)
                needed.insert(path(pack));
        std::erase_if(volume.files, [&](const auto& file) {
            return file.first.starts_with("alpha/1-aa/packs/") && !needed.contains(file.first);
        });
    }
    [[nodiscard]] std::uint64_t packs_size() const { return volume.size_below("alpha/1-aa/packs"); }
    [[nodiscard]] const SealKey& key() const { return m_key; }

    MemoryVolume volume;

private:
    SealKey m_key;
};

// A comparison that does not print megabytes.
inline ::testing::AssertionResult same(const std::optional<Files>& got, const Files& wanted) {
    if (!got) return ::testing::AssertionFailure() << "nothing restored";
    for (const auto& [name, content] : wanted) {
        const auto file = got->find(name);
        if (file == got->end()) return ::testing::AssertionFailure() << name << " is missing";
        if (file->second == content) continue;
        const auto differs = std::ranges::mismatch(file->second, content).in1 - file->second.begin();
        return ::testing::AssertionFailure() << name << " has " << file->second.size() << " bytes of "
                                             << content.size() << " and differs at " << differs;
    }
    if (got->size() != wanted.size()) return ::testing::AssertionFailure() << "more files than there were";
    return ::testing::AssertionSuccess();
}

} // namespace ckpt::store::images_test
