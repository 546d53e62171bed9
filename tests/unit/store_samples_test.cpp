// SPDX-License-Identifier: GPL-2.0-or-later
// What a release has written every later one must read: stores as they were committed to samples/.
#include "store/records.hpp"
#include "store_sample_job.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class SamplesTest : public StoreTest {
protected:
    // In a place of ours: whose the files of a checkout are, and who may read them, is no matter of the
    // samples.
    SamplesTest() {
        const fs::path from = fs::path(CKPT_SAMPLES) / "format-2";
        fs::remove_all(m_base);
        fs::copy(from / "store", m_base, fs::copy_options::recursive);
        fs::remove(m_key_path);
        write_file(m_key_path, read_file(from / "key"));
        fs::permissions(m_key_path, fs::perms::owner_read);
        read_keys();
        m_owner = sample::k_owner;
    }
    JobAt job(const Owner& owner) {
        if (!m_volume) m_volume.emplace(open_path(m_base), m_base);
        return job_at(Store{*m_volume, m_keys}, owner).value();
    }
    std::optional<LocalVolume> m_volume;
};

TEST_F(SamplesTest, EveryGenerationIsReadBackBitForBit) {
    const JobAt at = job(sample::k_owner);
    for (const GenerationId id : {sample::k_first, sample::k_second, sample::k_third}) {
        const auto manifest = verified_manifest(at, id);
        ASSERT_TRUE(manifest) << to_text(id) << ": " << one_line(manifest.error());
        EXPECT_EQ(manifest->taken_at, sample::k_taken_at + id.generation);
        EXPECT_GT(manifest->created_at, sample::k_taken_at);
        EXPECT_EQ(manifest->reason, "interval");
        EXPECT_FALSE(manifest->tree_was_stopped);
        EXPECT_GT(manifest->stored_bytes, 4096U);
        EXPECT_EQ(manifest->key_id, m_keys[id == sample::k_third ? 0 : 1].id);
        const PartEntry* part = manifest->part(sample::k_step, 0);
        ASSERT_NE(part, nullptr);
        EXPECT_EQ(part->node, "n1");
        EXPECT_EQ(part->frozen_us, 1200U);
        EXPECT_EQ(part->image_bytes, 4096U);
        EXPECT_EQ(part->processes, 3U);
        EXPECT_EQ(part->criu_version, "4.2.1");
        EXPECT_EQ(part->images.files, 3U);
        const fs::path target = make_dump({});
        const Fd dir = open_path(target);
        const ImagesPlace place{at.volume, at.dir, at.generation(id) + "/" + index_name(sample::k_step, 0),
                                *at.keys.find(manifest->key_id)};
        const auto read = unseal_images(place, part->images, dir.get());
        ASSERT_TRUE(read) << to_text(id) << ": " << one_line(read.error());
        EXPECT_EQ(read->healed, 0U);
        EXPECT_TRUE(files_in(target) == sample::images(id)) << to_text(id);
    }
    EXPECT_THAT(packs_of(sample::k_second), Contains(packs_of(sample::k_first).front())) << "they share one";
}

TEST_F(SamplesTest, EveryRecordIsReadBack) {
    const JobAt at = job(sample::k_owner);
    const auto adopted = read_adopted(at, 1);
    ASSERT_EQ(adopted.state, RecordState::valid) << adopted.why;
    EXPECT_EQ(adopted.value, (Adopted{sample::k_second, std::nullopt}));
    const auto completed = read_completed(at, 1);
    ASSERT_EQ(completed.state, RecordState::valid) << completed.why;
    EXPECT_EQ(completed.value.wait_status, 3 << 8);
    EXPECT_EQ(completed.value.newest_generation, 3U);
    EXPECT_FALSE(completed.value.will_be_requeued);
    EXPECT_GT(completed.value.at, sample::k_taken_at);
    const auto failed = read_failed(at, 0);
    ASSERT_EQ(failed.state, RecordState::valid) << failed.why;
    EXPECT_EQ(failed.value.how, Failed::How::out_of_memory);
    EXPECT_EQ(failed.value.wait_status, 9);
    EXPECT_EQ(failed.value.memory_limit, 123456789U);
    const auto stopped = read_stopped(at, 0);
    ASSERT_EQ(stopped.state, RecordState::valid) << stopped.why;
    EXPECT_EQ(stopped.value.generation, 2U);
    const auto claimed = read_claimed(at, 1, sample::k_other.job_id);
    ASSERT_EQ(claimed.state, RecordState::valid) << claimed.why;
    EXPECT_EQ(claimed.value.by_job, sample::k_other.job_id);
    const auto from_other = read_adopted(job(sample::k_other), 0);
    ASSERT_EQ(from_other.state, RecordState::valid) << from_other.why;
    EXPECT_EQ(from_other.value,
              (Adopted{sample::k_first, OtherJob{sample::k_owner.job_id, sample::k_owner.uuid}}));
}

TEST_F(SamplesTest, TheJobGoesOnFromThere) {
    expect_found(2, Found::completed);
    fs::remove_all(job_path() / "inc-2");
    fs::remove(record_path(1, "completed"));
    const Taken taken = must_adopt(2);
    EXPECT_EQ(to_text(taken.adoption.id), to_text(sample::k_third));
    EXPECT_TRUE(taken.files == sample::images(sample::k_third));
    EXPECT_THAT(taken.adoption.skipped, IsEmpty());
    // And its next generation shares what has not changed.
    ASSERT_TRUE(commit_files({2, 4}, sample::images(sample::k_third), 10));
    EXPECT_THAT(packs_of({2, 4}), Contains(packs_of(sample::k_third).front()));
    EXPECT_TRUE(must_adopt(3).files == sample::images(sample::k_third));
    m_owner = sample::k_other;
    EXPECT_TRUE(must_adopt(1).files == sample::images(sample::k_first));
}

} // namespace
} // namespace ckpt::store::test
