// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing but what was committed reaches CRIU: whatever is done to the newest generation, the one before is
// taken, and when that is all there is, nothing is. What is put right: store_healing_test.cpp.
#include <sys/stat.h>

#include "store/hex.hpp"
#include <random>

#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr GenerationId k_old{0, 1};
constexpr GenerationId k_new{0, 2};

class TamperTest : public StoreTest {
protected:
    void SetUp() override {
        must_commit(k_old);
        must_commit(k_new);
        m_files = {pack_path(k_new), index_path(k_new), manifest_path(k_new)};
    }
    void expect_skipped(const std::string& why = {}) {
        const Taken taken = must_adopt(1);
        EXPECT_EQ(taken.adoption.found, Found::generation);
        EXPECT_EQ(taken.adoption.id, k_old);
        EXPECT_TRUE(taken.files == images(k_old));
        EXPECT_THAT(
            taken.adoption.skipped,
            ElementsAre(AllOf(StartsWith("generation 2 of incarnation 0 is skipped: "), HasSubstr(why))));
        fs::remove_all(job_path() / "inc-1");
        fs::rename(path_of(k_old), m_temp.path() / "aside");
        expect_found(1, Found::unusable);
        EXPECT_FALSE(fs::exists(record_path(1, "adopted"))) << "what is unusable is not adopted";
        fs::rename(m_temp.path() / "aside", path_of(k_old));
        fs::remove_all(job_path() / "inc-1");
    }
    // The same in both copies of a sealed file.
    static void flip_both(const fs::path& path, std::size_t byte, unsigned bit) {
        flip(path, byte, bit);
        flip(path, byte + read_file(path).size() / 2, bit);
    }
    void copy_over(GenerationId from, GenerationId to) {
        fs::remove_all(path_of(to));
        fs::create_directories(path_of(to).parent_path());
        fs::copy(path_of(from), path_of(to), fs::copy_options::recursive);
    }

    std::vector<fs::path> m_files; // what the newer generation consists of
};

TEST_F(TamperTest, EachFileRuined) {
    const std::vector<std::string> says{pack_path(k_new).filename(), "index-4294967291-0", "manifest: "};
    for (std::size_t i = 0; i < m_files.size(); ++i) {
        ruin(m_files[i]);
        expect_skipped(says[i]);
        ruin(m_files[i]); // as it was
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, OneBitInBothCopiesOfTheManifest) {
    const std::size_t half = read_file(manifest_path(k_new)).size() / 2;
    for (std::size_t byte = 0; byte < half; byte += 97) {
        flip_both(manifest_path(k_new), byte, 0);
        expect_skipped("manifest");
        flip_both(manifest_path(k_new), byte, 0);
    }
    expect_adopted(1, k_new);
}

// Here a stripe is one block and its parity, or two.
TEST_F(TamperTest, OneBitInEveryBlockOfAStripe) {
    const std::size_t pack = read_file(pack_path(k_new)).size();
    for (const std::size_t byte : {std::size_t{0}, pack / 4, pack / 2 - 1}) {
        flip_both(pack_path(k_new), byte, 3);
        expect_skipped("pack " + pack_path(k_new).filename().string());
        flip_both(pack_path(k_new), byte, 3);
    }
    const auto blocks = manifest_of(k_new).parts.front().images.blocks;
    ASSERT_EQ(blocks.size(), 2U);
    flip(index_path(k_new), 0, 3);
    flip(index_path(k_new), blocks[0], 3);
    expect_skipped("index");
}

TEST_F(TamperTest, Truncated) {
    for (const fs::path& path : m_files) {
        const std::string content = read_file(path);
        // Half of each is a second copy; see store_healing_test.cpp for what is cut off behind the first.
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, content.size() / 4}) {
            write_file(path, content.substr(0, size));
            expect_skipped();
        }
        write_file(path, content);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, TheSealCutOff) {
    const std::string text = read_file(manifest_path(k_new));
    const std::string body = text.substr(0, text.find('\n') + 1);
    for (const std::string& bad : {body, body + body}) {
        write_file(manifest_path(k_new), bad);
        expect_skipped("not sealed");
    }
}

TEST_F(TamperTest, Grown) {
    for (const fs::path& path : m_files) {
        const std::string content = read_file(path);
        write_file(path, std::string(4096, 'x') + content);
        expect_skipped();
        write_file(path, content);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, EachFileMissing) {
    const fs::path aside = m_temp.path() / "aside-file";
    const std::vector<std::string> says{pack_path(k_new).filename(), "index-4294967291-0",
                                        "the manifest is missing"};
    for (std::size_t i = 0; i < m_files.size(); ++i) {
        fs::rename(m_files[i], aside);
        expect_skipped(says[i]);
        fs::rename(aside, m_files[i]);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, StrangersBesideThemAreIgnored) {
    write_file(path_of(k_new) / "index-0-0", "extra");
    write_file(job_path() / "packs" / "extra", "extra");
    write_file(job_path() / "extra", "extra");
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, LinksInPlaceOfTheSameContent) {
    const fs::path aside = m_temp.path() / "aside-links";
    std::vector<fs::path> all = m_files;
    all.push_back(path_of(k_new));
    for (const fs::path& path : all) {
        fs::rename(path, aside);
        fs::create_symlink(aside, path);
        expect_skipped();
        fs::remove(path);
        fs::rename(aside, path);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, FifosDirectoriesAndSocketsInPlaceOfFiles) {
    for (const fs::path& path : m_files) {
        const std::string content = read_file(path);
        for (const mode_t type : {S_IFIFO, S_IFSOCK}) {
            fs::remove(path);
            ASSERT_EQ(::mknod(path.c_str(), type | 0600U, 0), 0);
            expect_skipped();
        }
        fs::remove(path);
        fs::create_directory(path);
        expect_skipped();
        fs::remove(path);
        write_file(path, content);
    }
    expect_adopted(1, k_new);
}

// A directory that both generations need: neither is used, and it is no fresh start.
TEST_F(TamperTest, SomethingElseInPlaceOfADirectory) {
    const fs::path aside = m_temp.path() / "aside-dir";
    for (const fs::path& path : {job_path() / "packs", job_path() / "inc-0"}) {
        fs::rename(path, aside);
        expect_found(1,
                     path.filename() == "packs" ? Found::unusable : Found::nothing); // nothing is left of it
        fs::remove_all(job_path() / "inc-1");
        const std::vector<std::function<void()>> others{[&] { fs::create_symlink(aside, path); },
                                                        [&] { write_file(path, "a file"); },
                                                        [&] { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); }};
        for (const auto& make_other : others) {
            make_other();
            expect_found(1, Found::unusable);
            fs::remove(path);
            fs::remove_all(job_path() / "inc-1");
        }
        fs::rename(aside, path);
    }
    expect_adopted(1, k_new);
}

TEST_F(TamperTest, SomethingElseInPlaceOfTheGeneration) {
    const fs::path aside = m_temp.path() / "aside-generation";
    fs::rename(path_of(k_new), aside);
    write_file(path_of(k_new), "a file");
    expect_skipped();
    fs::remove(path_of(k_new));
    ASSERT_EQ(::mkfifo(path_of(k_new).c_str(), 0600), 0);
    expect_skipped();
    fs::remove(path_of(k_new));
    fs::create_directory(path_of(k_new));
    expect_skipped("the manifest is missing");
}

TEST_F(TamperTest, PacksSwapped) {
    const fs::path aside = m_temp.path() / "aside-pack";
    const fs::path old_pack = pack_path(k_old);
    const fs::path new_pack = pack_path(k_new);
    fs::rename(new_pack, aside);
    fs::rename(old_pack, new_pack);
    fs::rename(aside, old_pack);
    expect_found(1, Found::unusable);
    fs::remove_all(job_path() / "inc-1");
    fs::copy_file(new_pack, old_pack, fs::copy_options::overwrite_existing); // the old one back in its place
    expect_skipped("pack " + new_pack.filename().string());
}

TEST_F(TamperTest, AnIndexOfAnotherGeneration) {
    fs::copy_file(index_path(k_old), index_path(k_new), fs::copy_options::overwrite_existing);
    expect_skipped("index");
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
        const fs::path theirs = m_temp.path() / "theirs";
        const fs::path pack = pack_path(k_new).filename();
        fs::rename(job_path(), theirs);
        fs::remove_all(m_base);
        fs::rename(m_temp.path() / "mine", m_base);
        m_owner = mine;
        fs::remove_all(path_of(k_new));
        fs::rename(theirs / "inc-0" / "gen-000002", path_of(k_new));
        fs::rename(theirs / "packs" / pack, job_path() / "packs" / pack);
        fs::remove_all(theirs);
        expect_skipped("altered, or not made for this job");
    }
}

TEST_F(TamperTest, AManifestSignedWithAnotherClusterKey) {
    const std::string other_path = m_temp.path() / "other";
    ASSERT_TRUE(create_key(other_path));
    auto mine = std::move(m_keys);
    m_keys = load_keys(other_path, ::geteuid()).value().take();
    fs::remove_all(path_of(k_new));
    must_commit(k_new);
    m_keys = std::move(mine);
    expect_skipped("a key that this node's key file does not hold");
}

TEST_F(TamperTest, ASealedTextOfAnotherKind) {
    must_adopt(1); // writes inc-1/adopted, sealed with the same key
    fs::copy(record_path(1, "adopted"), manifest_path(k_new), fs::copy_options::overwrite_existing);
    fs::remove_all(job_path() / "inc-1");
    expect_skipped("not a manifest");
}

TEST_F(TamperTest, AHugeManifestIsNotRead) {
    ASSERT_EQ(::truncate(manifest_path(k_new).c_str(), off_t{1} << 40U), 0);
    expect_skipped("larger than expected");
}

// A manifest that restores nothing any more must not cost the job its next checkpoint.
TEST_F(TamperTest, CommitsGoOnWhateverTheOldOnesAreLike) {
    const std::vector<std::function<void()>> damages{
        [&] { ruin(manifest_path(k_new)); },
        [&] { ASSERT_EQ(::truncate(manifest_path(k_new).c_str(), off_t{1} << 40U), 0); },
        [&] { fs::remove(manifest_path(k_new)); },
        [&] {
            fs::remove(manifest_path(k_new));
            fs::create_symlink("/etc/passwd", manifest_path(k_new));
        },
        [&] {
            fs::remove_all(path_of(k_new));
            fs::create_symlink("gen-000001", path_of(k_new));
        },
        [&] {
            fs::remove(path_of(k_new));
            write_file(path_of(k_new), "");
        }};
    for (const auto& damage : damages) {
        damage();
        const auto done = commit_files({0, 3}, images({0, 3}));
        ASSERT_TRUE(done) << one_line(done.error());
        expect_adopted(1, {0, 3});
        fs::remove_all(path_of({0, 3}));
        fs::remove_all(job_path() / "inc-1");
    }
}

// Whoever owns the directory writes what is parsed before any seal can be checked.
TEST(ParseManifest, NestingWithoutEnd) {
    for (const char* open : {"[", "{\"a\":", "[{\"parts\":[", "{\"parts\":[{\"images\":{\"packs\":["}) {
        std::string text;
        while (text.size() < k_manifest_max - 100)
            text += open;
        EXPECT_FALSE(parse_manifest(text));
        EXPECT_FALSE(parse_manifest(text + std::string(text.size() / 2, ']')));
    }
    std::string closed(k_manifest_max / 2, '[');
    closed.append(k_manifest_max / 2, ']');
    EXPECT_FALSE(parse_manifest(closed));
    EXPECT_FALSE(parse_manifest(std::string(k_manifest_max + 1, ' ')));
}

TEST(ParseManifest, ListsWithoutEnd) {
    for (const char* list : {"[", "{\"parts\":[", "{\"exited\":["})
        for (const char* item : {"1,", "\"\",", "[],", "{},", "{\"\":0},"}) {
            std::string text = list;
            while (text.size() < k_manifest_max - 100)
                text += item;
            text += std::string("0]") + (*list == '{' ? "}" : "");
            EXPECT_FALSE(parse_manifest(text)) << list << item;
        }
}

TEST_F(TamperTest, NonsenseInAManifestIsRefusedOrHarmless) {
    const std::string text = read_file(manifest_path(k_new));
    const std::string body = text.substr(0, text.find('\n'));
    ASSERT_TRUE(parse_manifest(body));
    const std::vector<std::string> bits{
        "[",  "]",     "{",          "}",       ",",    ":",    "\"",  "null",
        "-1", "1e999", "4294967296", "\\u0000", "\xff", "true", "0.5", "99999999999999999999"};
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string changed = body;
        for (unsigned i = 0; i <= random() % 3; ++i) {
            const std::size_t at = random() % changed.size();
            const std::string& bit = bits[random() % bits.size()];
            changed.replace(at, random() % (changed.size() - at) % 20, bit);
        }
        const auto manifest = parse_manifest(changed);
        if (!manifest) continue;
        EXPECT_FALSE(manifest->parts.empty());
        EXPECT_TRUE(parse_manifest(to_json(*manifest))) << changed;
    }
}

} // namespace
} // namespace ckpt::store::test
