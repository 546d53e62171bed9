// SPDX-License-Identifier: GPL-2.0-or-later
// One bad spot is put right: sealed files hold their text twice, images have parity.
#include <sys/stat.h>

#include "store_faults.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr GenerationId k_id{0, 1};

class HealingTest : public StoreTest {
protected:
    void SetUp() override { must_commit(k_id); }
    // `healed`: blocks; sealed files are read from their second copy without a word.
    void expect_whole(std::uint64_t healed) {
        const Taken taken = must_adopt(1);
        ASSERT_EQ(taken.adoption.found, Found::generation)
            << ::testing::PrintToString(taken.adoption.skipped);
        EXPECT_TRUE(taken.files == images(k_id));
        if (healed == 0) {
            EXPECT_THAT(taken.adoption.skipped, IsEmpty());
        } else {
            EXPECT_THAT(
                taken.adoption.skipped,
                ElementsAre(HasSubstr(std::to_string(healed) + " damaged blocks, which were put right")));
        }
    }
};

TEST_F(HealingTest, OneBitAnywhereInTheImages) {
    for (const fs::path& path : {pack_path(k_id), index_path(k_id)}) {
        const std::size_t size = read_file(path).size();
        for (std::size_t byte = 0; byte < size; byte += 1 + size / 40) {
            flip(path, byte, byte % 8);
            const Taken taken = must_adopt(1);
            EXPECT_EQ(taken.adoption.found, Found::generation) << path << " at " << byte;
            EXPECT_TRUE(taken.files == images(k_id)) << path << " at " << byte;
            flip(path, byte, byte % 8);
        }
        flip(path, 0, 3);
        expect_whole(1);
        flip(path, 0, 3);
    }
    expect_whole(0);
}

TEST_F(HealingTest, ABlockThatIsNothingButGarbage) {
    const std::uint32_t block = manifest_of(k_id).parts.front().images.blocks.front();
    for (const fs::path& path : {pack_path(k_id), index_path(k_id)}) {
        const std::string content = read_file(path);
        const std::size_t size = path == index_path(k_id) ? block : content.size() / 2;
        write_file(path, std::string(size, 'g') + content.substr(size));
        expect_whole(1);
        write_file(path, content);
    }
}

TEST_F(HealingTest, OneBitAnywhereInTheManifest) {
    const fs::path path = manifest_path(k_id);
    const std::size_t size = read_file(path).size();
    for (std::size_t byte = 0; byte < size; byte += 13) {
        flip(path, byte, byte % 8);
        expect_whole(0);
        flip(path, byte, byte % 8);
    }
}

TEST_F(HealingTest, EitherCopyOfTheManifestIsEnough) {
    const fs::path path = manifest_path(k_id);
    const std::string whole = read_file(path);
    const std::size_t half = whole.size() / 2;
    EXPECT_EQ(whole.substr(0, half), whole.substr(half));
    for (const std::string& left :
         {std::string(half, 'x') + whole.substr(half), whole.substr(0, half) + std::string(half, 'x'),
          std::string(half, '\n') + whole.substr(half), whole.substr(0, half), whole.substr(0, half + 1),
          whole.substr(0, whole.size() - 1), whole + "grown", whole + whole}) {
        write_file(path, left);
        expect_whole(0);
    }
}

TEST_F(HealingTest, ParityCutOff) {
    const std::string content = read_file(pack_path(k_id));
    for (const std::size_t size : {content.size() - 1, content.size() / 2 + 1, content.size() / 2}) {
        write_file(pack_path(k_id), content.substr(0, size));
        expect_whole(0);
    }
}

TEST_F(HealingTest, OneBitAnywhereInARecord) {
    must_commit({0, 2});
    expect_adopted(1, {0, 2});
    expect_adopted(1, k_id, GenerationId{0, 2}); // generation 2 is fenced now
    const fs::path path = record_path(1, "adopted");
    const std::size_t size = read_file(path).size();
    for (std::size_t byte = 0; byte < size; byte += 7) {
        flip(path, byte, byte % 8);
        expect_adopted(2, k_id);
        fs::remove_all(job_path() / "inc-2");
        flip(path, byte, byte % 8);
    }
}

TEST_F(HealingTest, OneBitAnywhereInTheEnd) {
    ASSERT_TRUE(end_job(0, false));
    const fs::path path = record_path(0, "completed");
    const std::size_t size = read_file(path).size();
    for (std::size_t byte = 0; byte < size; byte += 7) {
        flip(path, byte, byte % 8);
        expect_found(1, Found::completed);
        fs::remove_all(job_path() / "inc-1");
        flip(path, byte, byte % 8);
    }
}

// What is damaged in one place and used by the next generation as well stays readable, and packs stay.
TEST_F(HealingTest, APackThatNeedsItsParityIsSharedAllTheSame) {
    flip(pack_path(k_id), 20, 3);
    Files files = images(k_id);
    files["extra.img"] = "new";
    ASSERT_TRUE(commit_files({0, 2}, files));
    EXPECT_TRUE(must_adopt(1).files == files);
}

} // namespace
} // namespace ckpt::store::test
