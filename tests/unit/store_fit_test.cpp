// SPDX-License-Identifier: GPL-2.0-or-later
// What a generation needs of a node is in its manifest, and is looked at before anything is unpacked.
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

compat::Needs some_needs() {
    return {
        {"x86_64", "Some CPU", {"avx2", "avx512f"}, 2696, 2696, 0xe7}, "6.12.3", {{"/scratch", "lustre"}}};
}

compat::Node fitting_node() {
    compat::Node node;
    node.cpu = some_needs().cpu;
    node.kernel = "6.12.9";
    node.mounts = some_needs().mounts;
    node.knows_mounts = true;
    return node;
}

class FitTest : public StoreTest {
protected:
    void commit_with(GenerationId id, const std::vector<compat::Needs>& needs) {
        const fs::path dump = make_dump(images(id));
        const Fd dir = open_path(dump);
        CommitSpec spec = spec_of(m_owner, id, 100, dir.get());
        spec.parts.clear();
        for (std::uint32_t i = 0; i < needs.size(); ++i)
            spec.parts.push_back(
                {{k_step - i, 0, "n1", 1200, 4096, 3, "4.2.1", {}, i * 7ULL, needs[i]}, dir.get()});
        const auto done = commit_to_store(spec);
        ASSERT_TRUE(done) << one_line(done.error());
    }
    Result<Taken> adopt_on(const compat::Node& node, std::uint32_t incarnation) {
        AdoptSpec spec = adoption_by(incarnation, -1);
        spec.node = node;
        return try_adopt(spec, m_base);
    }
};

TEST_F(FitTest, TheManifestSaysWhatEachPartNeedsAndWhatIsAlikeOnce) {
    compat::Needs other = some_needs();
    other.mounts.clear();
    commit_with({0, 1}, {some_needs(), other, some_needs(), compat::Needs{}});
    const Manifest manifest = manifest_of({0, 1});
    ASSERT_EQ(manifest.parts.size(), 4U);
    EXPECT_EQ(manifest.part_of(0, 0)->needs, some_needs());
    EXPECT_EQ(manifest.part_of(7, 0)->needs, other);
    EXPECT_EQ(manifest.part_of(14, 0)->needs, some_needs());
    EXPECT_FALSE(manifest.part_of(21, 0)->needs.is_known());
    const std::string text = to_json(manifest);
    std::size_t told = 0;
    for (std::size_t at = text.find("Some CPU"); at != std::string::npos; at = text.find("Some CPU", at + 1))
        ++told;
    EXPECT_EQ(told, 2U) << text;
}

TEST_F(FitTest, ANodeThatLacksSomethingGetsNothingAndTheNextOneTheSame) {
    commit_with({0, 1}, {some_needs()});
    commit_with({0, 2}, {some_needs()});
    compat::Node poor = fitting_node();
    poor.cpu.flags = {"avx2"};
    const auto refused = adopt_on(poor, 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::node_unfit);
    EXPECT_THAT(refused.error().what,
                HasSubstr("generation 2 needs what this node does not have: avx512f of the CPU"));
    EXPECT_FALSE(fs::exists(record_path(1, "adopted"))) << "it does not count as a restore";
    const auto taken = adopt_on(fitting_node(), 2);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.id, (GenerationId{0, 2}));
    EXPECT_EQ(taken->adoption.adopted_before, 0U);
    EXPECT_TRUE(taken->files == images({0, 2}));
}

TEST_F(FitTest, ImagesThatTheNodeStillHasAreNotExcepted) {
    commit_with({0, 1}, {some_needs()});
    compat::Node bare = fitting_node();
    bare.mounts.clear();
    AdoptSpec spec = adoption_by(1, -1);
    spec.node = bare;
    spec.here = GenerationId{0, 1};
    const auto refused = try_adopt(spec, m_base);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what, HasSubstr("a file system of type lustre at /scratch"));
}

TEST_F(FitTest, WhatAnEarlierReleaseHasWrittenFitsAnywhere) {
    must_commit({0, 1});
    compat::Node poor;
    poor.cpu = {"x86_64", "", {}, 0, 0, 0};
    poor.kernel = "5.0";
    poor.knows_mounts = true;
    const auto taken = adopt_on(poor, 1);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.found, Found::generation);
}

TEST_F(FitTest, APartOfAStepIsLookedAtByTheNodeThatFetchesIt) {
    commit_with({0, 1}, {compat::Needs{}, some_needs()});
    const auto fetch = [&](const compat::Node& node) {
        const fs::path target = make_dump({});
        const Fd dir = open_path(target);
        LocalVolume here = volume(m_base);
        PartSpec spec{m_owner, 1, {0, 1}, 7, 0, dir.get(), node};
        Status done = unpack_part(Store{here, m_keys}, spec);
        EXPECT_EQ(done.has_value(), !files_in(target).empty());
        return done;
    };
    ASSERT_TRUE(try_adopt(1));
    compat::Node old = fitting_node();
    old.kernel = "6.1";
    const Status refused = fetch(old);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::node_unfit);
    EXPECT_TRUE(fetch(fitting_node()));
}

TEST_F(FitTest, NonsenseIsNoManifest) {
    commit_with({0, 1}, {some_needs()});
    const std::string good = to_json(manifest_of({0, 1}));
    ASSERT_TRUE(parse_manifest(good));
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string bad = good;
        bad.replace(bad.find(from), from.size(), to);
        return parse_manifest(bad);
    };
    EXPECT_FALSE(with("\"needs\":0", "\"needs\":1"));
    EXPECT_FALSE(with("\"needs\":0", "\"needs\":\"a\""));
    EXPECT_FALSE(with("\"kernel\":\"6.12.3\"", "\"kernel\":7"));
    EXPECT_FALSE(with("\"avx2\",\"avx512f\"", "\"avx512f\",\"avx2\""));
    EXPECT_FALSE(with("\"point\":", "\"pint\":"));
}

} // namespace
} // namespace ckpt::store::test
