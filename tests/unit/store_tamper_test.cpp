// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing but what was committed reaches CRIU: whatever is done to the newest generation, the one before is
// taken, and when that is all there is, nothing is.
#include <sys/stat.h>

#include "store/seal.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr GenerationId k_old{0, 1};
constexpr GenerationId k_new{0, 2};

class TamperTest : public StoreTest {
protected:
    void SetUp() override {
        must_commit(k_old);
        must_commit(k_new);
    }
    void expect_skipped(const std::string& why = {}) {
        const Taken taken = must_adopt(1);
        EXPECT_EQ(taken.adoption.found, Found::generation);
        EXPECT_EQ(taken.adoption.id, k_old);
        EXPECT_TRUE(taken.files == images(k_old));
        EXPECT_THAT(taken.adoption.skipped,
                    ElementsAre(::testing::AllOf(StartsWith("generation 2 of incarnation 0 is skipped: "),
                                                 HasSubstr(why))));
        fs::remove_all(job_path() / "inc-1");
        fs::rename(path_of(k_old), m_temp.path() / "aside");
        expect_found(1, Found::unusable);
        EXPECT_FALSE(fs::exists(job_path() / "inc-1" / "adopted")) << "what is unusable is not adopted";
        fs::rename(m_temp.path() / "aside", path_of(k_old));
    }
    static void flip(const fs::path& path, std::size_t byte, unsigned bit) {
        std::string content = read_file(path);
        content[byte] = static_cast<char>(static_cast<unsigned char>(content[byte]) ^ (1U << bit));
        write_file(path, content);
    }
    void copy_over(GenerationId from, GenerationId to) {
        fs::remove_all(path_of(to));
        fs::create_directories(path_of(to).parent_path());
        fs::copy(path_of(from), path_of(to), fs::copy_options::recursive);
    }
};

TEST_F(TamperTest, OneBitInAnyImage) {
    for (const auto& [name, content] : images(k_new)) {
        if (content.empty()) continue;
        for (const std::size_t byte : {std::size_t{0}, content.size() / 2, content.size() - 1}) {
            flip(part_path(k_new) / name, byte, 3);
            expect_skipped(name + ": altered");
            flip(part_path(k_new) / name, byte, 3);
        }
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, OneBitInTheManifest) {
    const fs::path manifest = path_of(k_new) / "manifest";
    const std::size_t size = read_file(manifest).size();
    for (std::size_t byte = 0; byte < size; byte += 97) {
        flip(manifest, byte, 0);
        expect_skipped("manifest");
        flip(manifest, byte, 0);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, TruncatedOrGrown) {
    for (const char* name : {"core-1.img", "pages-1.img"}) {
        const fs::path path = part_path(k_new) / name;
        const std::string content = read_file(path);
        write_file(path, content.substr(0, content.size() - 1));
        expect_skipped(name);
        write_file(path, content + "x");
        expect_skipped(name);
        write_file(path, "");
        expect_skipped(name);
        write_file(path, content);
    }
    const fs::path manifest = path_of(k_new) / "manifest";
    const std::string text = read_file(manifest);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, text.size() / 2, text.size() - 1}) {
        write_file(manifest, text.substr(0, size));
        expect_skipped("manifest");
    }
    write_file(manifest, text.substr(0, text.rfind("hmac"))); // the seal cut off
    expect_skipped("not sealed");
}

TEST_F(TamperTest, FilesSwapped) {
    const fs::path part = part_path(k_new);
    fs::rename(part / "core-1.img", part / "x");
    fs::rename(part / "pages-1.img", part / "core-1.img");
    fs::rename(part / "x", part / "pages-1.img");
    expect_skipped("bytes long");
}

TEST_F(TamperTest, ImagesOfAnotherGeneration) {
    fs::copy(part_path(k_old) / "core-1.img", part_path(k_new) / "core-1.img",
             fs::copy_options::overwrite_existing);
    expect_skipped("core-1.img: altered");
}

TEST_F(TamperTest, FileMissing) {
    fs::remove(part_path(k_new) / "empty.img");
    expect_skipped("empty.img");
}

TEST_F(TamperTest, FileAdded) {
    write_file(part_path(k_new) / "core-2.img", "extra");
    expect_skipped("core-2.img: not in the manifest");
}

TEST_F(TamperTest, ManifestMissing) {
    fs::remove(path_of(k_new) / "manifest");
    expect_skipped("manifest is missing");
}

TEST_F(TamperTest, PartMissing) {
    fs::remove_all(part_path(k_new));
    expect_skipped();
}

TEST_F(TamperTest, LinksInPlaceOfTheSameContent) {
    const fs::path aside = m_temp.path() / "aside-links";
    for (const fs::path& path :
         {part_path(k_new) / "core-1.img", path_of(k_new) / "manifest", part_path(k_new), path_of(k_new)}) {
        fs::rename(path, aside);
        fs::create_symlink(aside, path);
        expect_skipped();
        fs::remove(path);
        fs::rename(aside, path);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, FifosAndDirectoriesInPlaceOfFiles) {
    for (const fs::path& path : {part_path(k_new) / "core-1.img", path_of(k_new) / "manifest"}) {
        const std::string content = read_file(path);
        fs::remove(path);
        ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
        expect_skipped();
        fs::remove(path);
        fs::create_directory(path);
        expect_skipped();
        fs::remove(path);
        write_file(path, content);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, AnOlderGenerationReplayedAsANewerOne) {
    copy_over(k_old, k_new);
    expect_skipped("the manifest is that of generation 1 of incarnation 0");
}

TEST_F(TamperTest, AGenerationReplayedInAnotherIncarnation) {
    copy_over(k_old, {1, 5});
    const Taken taken = must_adopt(2);
    EXPECT_EQ(taken.adoption.id, k_new);
    EXPECT_THAT(taken.adoption.skipped, ElementsAre(HasSubstr("is that of generation 1 of incarnation 0")));
}

TEST_F(TamperTest, AnotherJobsGeneration) {
    const Owner mine = m_owner;
    std::vector<Owner> others(4, mine);
    others[0].cluster = "beta";
    others[1].uid = 0;
    others[2].job_id = 4712;
    others[3].uuid.back() = '0'; // the same directory name
    for (const Owner& other : others) {
        m_owner = other;
        fs::rename(m_base, m_temp.path() / "mine");
        fs::create_directory(m_base);
        must_commit(k_new);
        const fs::path theirs = path_of(k_new);
        const fs::path copy = m_temp.path() / "theirs";
        fs::rename(theirs, copy);
        fs::remove_all(m_base);
        fs::rename(m_temp.path() / "mine", m_base);
        m_owner = mine;
        fs::remove_all(path_of(k_new));
        fs::rename(copy, path_of(k_new));
        expect_skipped("altered, or not made for this job");
    }
}

TEST_F(TamperTest, AManifestSignedWithAnotherClusterKey) {
    const std::string other_path = m_temp.path() / "other";
    ASSERT_TRUE(create_key(other_path));
    ClusterKey mine = std::move(m_key);
    m_key = *load_key(other_path, ::geteuid());
    fs::remove_all(path_of(k_new));
    must_commit(k_new);
    m_key = std::move(mine);
    expect_skipped("another key");
}

TEST_F(TamperTest, ASealedTextOfAnotherKind) {
    must_adopt(1); // writes inc-1/adopted, sealed with the same key
    fs::copy(job_path() / "inc-1" / "adopted", path_of(k_new) / "manifest",
             fs::copy_options::overwrite_existing);
    fs::remove_all(job_path() / "inc-1");
    expect_skipped("not a manifest");
}

TEST_F(TamperTest, AHugeManifestIsNotRead) {
    ASSERT_EQ(::truncate((path_of(k_new) / "manifest").c_str(), off_t{1} << 40U), 0);
    expect_skipped("larger than expected");
}

} // namespace
} // namespace ckpt::store::test
