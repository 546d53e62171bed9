// SPDX-License-Identifier: GPL-2.0-or-later
// Going on from images that the node still has.
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::IsEmpty;

class HereTest : public StoreTest {
protected:
    void SetUp() override {
        must_commit({0, 1});
        must_commit({0, 2});
    }
    Taken adopt_with(std::uint32_t incarnation, GenerationId here, std::optional<GenerationId> before = {}) {
        AdoptSpec spec = adoption_by(incarnation, -1, before);
        spec.here = here;
        auto taken = try_adopt(spec, m_base);
        EXPECT_TRUE(taken) << one_line(taken.error());
        return taken ? std::move(*taken) : Taken{};
    }
};

TEST_F(HereTest, WhatTheNodeHasIsNotReadAgain) {
    const Taken taken = adopt_with(1, {0, 2});
    EXPECT_EQ(taken.adoption.found, Found::generation);
    EXPECT_TRUE(taken.adoption.is_here);
    EXPECT_EQ(taken.adoption.id, (GenerationId{0, 2}));
    EXPECT_EQ(taken.adoption.node, "n1");
    EXPECT_THAT(taken.files, IsEmpty());
    EXPECT_TRUE(fs::exists(record_path(1, "adopted"))) << "it is adopted like any other";
    expect_adopted(2, {0, 2});
}

TEST_F(HereTest, AnyOtherIsUnpacked) {
    for (const GenerationId here : {GenerationId{0, 1}, GenerationId{0, 3}, GenerationId{1, 2}}) {
        const Taken taken = adopt_with(1, here);
        EXPECT_FALSE(taken.adoption.is_here) << to_text(here);
        EXPECT_TRUE(taken.files == images({0, 2})) << to_text(here);
    }
    const Taken older = adopt_with(1, {0, 2}, GenerationId{0, 2});
    EXPECT_FALSE(older.adoption.is_here);
    EXPECT_TRUE(older.files == images({0, 1}));
}

TEST_F(HereTest, DamagedImagesDoNotMatterDamagedManifestsDo) {
    ruin(pack_path({0, 2}));
    EXPECT_TRUE(adopt_with(1, {0, 2}).adoption.is_here);
    ruin(manifest_path({0, 2}));
    const Taken taken = adopt_with(1, {0, 2});
    EXPECT_FALSE(taken.adoption.is_here) << "what the store no longer vouches for";
    EXPECT_TRUE(taken.files == images({0, 1}));
}

TEST_F(HereTest, AnotherJobsOfTheSameNumberIsNotHere) {
    const Owner mine = m_owner;
    m_owner.job_id = 99;
    m_owner.uuid = "99999999999999999999999999999999";
    must_commit({0, 5});
    m_owner = mine;
    fs::remove_all(job_path());
    AdoptSpec spec = adoption_by(0, -1);
    spec.here = GenerationId{0, 5};
    spec.other_job = 99;
    const auto taken = try_adopt(spec, m_base);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_FALSE(taken->adoption.is_here);
    EXPECT_EQ(taken->adoption.of_job, 99U);
    EXPECT_TRUE(taken->files == images({0, 5}));
}

} // namespace
} // namespace ckpt::store::test
