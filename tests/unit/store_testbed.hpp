// SPDX-License-Identifier: GPL-2.0-or-later
// A store in a temporary directory, with a key of its own; runs as any user.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "store/adopt.hpp"
#include "store/commit.hpp"
#include "store/complete.hpp"
#include "store/key.hpp"
#include "store/manifest.hpp"
#include "volume/local_volume.hpp"

namespace ckpt::store::test {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>; // name → content

class TempDir {
public:
    TempDir() {
        std::string pattern = ::testing::TempDir() + "/ckpt-store-XXXXXX";
        m_path = ::mkdtemp(pattern.data());
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    TempDir(TempDir&&) = delete;
    TempDir& operator=(TempDir&&) = delete;
    ~TempDir() {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return m_path; }

private:
    fs::path m_path;
};

inline Fd open_path(const fs::path& dir) {
    return Fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

inline void write_file(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}
inline std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
inline Files files_in(const fs::path& dir) {
    Files files;
    for (const auto& entry : fs::directory_iterator(dir))
        files[entry.path().filename()] = read_file(entry.path());
    return files;
}
inline void flip(const fs::path& path, std::size_t byte, unsigned bit) {
    std::string content = read_file(path);
    content[byte] = static_cast<char>(static_cast<unsigned char>(content[byte]) ^ (1U << bit));
    write_file(path, content);
}
// So that no second copy and no parity helps.
inline void ruin(const fs::path& path) {
    std::string content = read_file(path);
    for (std::size_t at = 0; at < content.size(); at += 16)
        content[at] = static_cast<char>(content[at] ^ 0x04);
    write_file(path, content);
}

inline constexpr std::uint32_t k_step = 0xfffffffb; // SLURM_BATCH_SCRIPT

class StoreTest : public ::testing::Test {
protected:
    StoreTest() {
        fs::create_directory(m_base);
        EXPECT_TRUE(create_key(m_key_path));
        read_keys();
    }
    void read_keys() {
        auto keys = load_keys(m_key_path, ::geteuid());
        ASSERT_TRUE(keys) << one_line(keys.error());
        m_keys = std::move(*keys).take();
    }

    // Opened anew each time, as ckpt-sealer does.
    [[nodiscard]] static LocalVolume volume(const fs::path& where) { return {open_path(where), where}; }
    Result<CommitDone> commit_to_store(const CommitSpec& spec) {
        LocalVolume here = volume(m_base);
        return commit(Store{here, m_keys}, spec);
    }
    Result<Adoption> adopt_from_store(const AdoptSpec& spec, const fs::path& where) {
        LocalVolume here = volume(where);
        return adopt(Store{here, m_keys}, spec);
    }
    Result<Adoption> adopt_from_store(const AdoptSpec& spec) { return adopt_from_store(spec, m_base); }
    Status complete_in_store(const CompleteSpec& spec) {
        LocalVolume here = volume(m_base);
        return complete(Store{here, m_keys}, spec);
    }

    // The images of a generation, recognisable by its number.
    static Files images(GenerationId id) {
        const std::string mark = to_text(id);
        return {{"inventory.img", mark},
                {"core-1.img", mark + std::string(1000, 'c')},
                {"pages-1.img", std::string(200000, '\0') + mark + std::string(100000, '\0')},
                {"empty.img", ""}};
    }
    fs::path make_dump(const Files& files) {
        std::string dir = m_temp.path() / "dump-XXXXXX"; // unique in forked children as well
        EXPECT_NE(::mkdtemp(dir.data()), nullptr);
        for (const auto& [name, content] : files)
            write_file(fs::path(dir) / name, content);
        return dir;
    }

    [[nodiscard]] static CommitSpec spec_of(const Owner& owner, GenerationId id, std::uint32_t keep,
                                            int dir) {
        CommitSpec spec;
        spec.owner = owner;
        spec.id = id;
        spec.keep = keep;
        spec.taken_at = 1700000000 + id.generation;
        spec.reason = "interval";
        spec.compression = 1;
        spec.parts.push_back({{k_step, 0, "n1", 1200, 4096, 3, "4.1.1", {}}, dir});
        return spec;
    }
    Result<CommitDone> commit_files(GenerationId id, const Files& files, std::uint32_t keep = 100) {
        const fs::path dump = make_dump(files);
        const Fd dir = open_path(dump);
        return commit_to_store(spec_of(m_owner, id, keep, dir.get()));
    }
    void must_commit(GenerationId id, std::uint32_t keep = 100) {
        const auto done = commit_files(id, images(id), keep);
        ASSERT_TRUE(done) << one_line(done.error());
        EXPECT_THAT(done->notes, ::testing::IsEmpty());
    }

    struct Taken {
        Adoption adoption;
        Files files;
    };
    [[nodiscard]] AdoptSpec adoption_by(std::uint32_t incarnation, int target,
                                        std::optional<GenerationId> before = {}) const {
        AdoptSpec spec;
        spec.owner = m_owner;
        spec.incarnation = incarnation;
        spec.step_id = k_step;
        spec.before = before;
        spec.target = target;
        return spec;
    }
    // Adopts into a directory of its own; the spec's target is set here.
    Result<Taken> try_adopt(AdoptSpec spec, const fs::path& store) {
        const fs::path target = make_dump({});
        const Fd dir = open_path(target);
        spec.target = dir.get();
        CKPT_TRY(Adoption adoption, adopt_from_store(spec, store));
        return Taken{std::move(adoption), files_in(target)};
    }
    Result<Taken> try_adopt(std::uint32_t incarnation, std::optional<GenerationId> before = {},
                            const fs::path& store = {}) {
        return try_adopt(adoption_by(incarnation, -1, before), store.empty() ? m_base : store);
    }
    Taken must_adopt(std::uint32_t incarnation, std::optional<GenerationId> before = {},
                     const fs::path& store = {}) {
        auto taken = try_adopt(incarnation, before, store);
        EXPECT_TRUE(taken) << one_line(taken.error());
        return taken ? std::move(*taken) : Taken{};
    }
    void expect_adopted(std::uint32_t incarnation, GenerationId id, std::optional<GenerationId> before = {}) {
        const Taken taken = must_adopt(incarnation, before);
        ASSERT_EQ(taken.adoption.found, Found::generation)
            << ::testing::PrintToString(taken.adoption.skipped);
        EXPECT_EQ(to_text(taken.adoption.id), to_text(id));
        EXPECT_TRUE(taken.files == images(id));
    }
    void expect_found(std::uint32_t incarnation, Found found, std::optional<GenerationId> before = {}) {
        const Taken taken = must_adopt(incarnation, before);
        EXPECT_EQ(taken.adoption.found, found) << ::testing::PrintToString(taken.adoption.skipped);
        EXPECT_THAT(taken.files, ::testing::IsEmpty());
    }
    Status end_job(std::uint32_t incarnation, bool drop) {
        CompleteSpec spec;
        spec.owner = m_owner;
        spec.incarnation = incarnation;
        spec.drop_generations = drop;
        return complete_in_store(spec);
    }

    [[nodiscard]] fs::path job_path() const { return m_base / m_owner.cluster / job_dir_name(m_owner); }
    [[nodiscard]] fs::path path_of(GenerationId id) const {
        return job_path() / incarnation_dir_name(id.incarnation) / generation_dir_name(id.generation);
    }
    [[nodiscard]] fs::path manifest_path(GenerationId id) const { return path_of(id) / "manifest"; }
    [[nodiscard]] fs::path index_path(GenerationId id) const { return path_of(id) / index_name(k_step, 0); }
    [[nodiscard]] fs::path record_path(std::uint32_t incarnation, std::string_view name) const {
        return job_path() / incarnation_dir_name(incarnation) / name;
    }
    [[nodiscard]] Manifest manifest_of(GenerationId id) const {
        const std::string text = read_file(manifest_path(id));
        auto manifest = parse_manifest(text.substr(0, text.find('\n')));
        EXPECT_TRUE(manifest);
        return manifest ? std::move(*manifest) : Manifest{};
    }
    // The packs that a generation needs, in its order.
    [[nodiscard]] std::vector<fs::path> packs_of(GenerationId id) const {
        std::vector<fs::path> paths;
        for (const PartEntry& part : manifest_of(id).parts)
            for (const PackName& pack : part.images.packs)
                paths.push_back(job_path() / "packs" / pack_file_name(pack));
        return paths;
    }
    // What generations of the default images have one of.
    [[nodiscard]] fs::path pack_path(GenerationId id) const {
        const auto paths = packs_of(id);
        EXPECT_EQ(paths.size(), 1U);
        return paths.empty() ? fs::path() : paths.front();
    }
    [[nodiscard]] std::vector<std::string> packs() const {
        std::vector<std::string> names;
        if (!fs::exists(job_path() / "packs")) return names;
        for (const auto& entry : fs::directory_iterator(job_path() / "packs"))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
    // Every generation, temporary or discarded directory: "inc-0/gen-000001".
    [[nodiscard]] std::vector<std::string> listing() const {
        std::vector<std::string> names;
        if (!fs::exists(job_path())) return names;
        for (const auto& inc : fs::directory_iterator(job_path()))
            for (const auto& entry : fs::directory_iterator(inc.path()))
                if (entry.is_directory())
                    names.push_back(inc.path().filename().string() + "/" + entry.path().filename().string());
        std::ranges::sort(names);
        return names;
    }

    TempDir m_temp;
    fs::path m_base = m_temp.path() / "store";
    fs::path m_key_path = m_temp.path() / "key";
    std::vector<ClusterKey> m_keys;
    Owner m_owner{"alpha", 1000, 4711, "0a1b2c3d4e5f60718293a4b5c6d7e8f9"};
};

} // namespace ckpt::store::test
