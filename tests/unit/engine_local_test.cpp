// SPDX-License-Identifier: GPL-2.0-or-later
// Which files travel with the images, and what happens at their paths on the node where they arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/local_files.hpp"
#include "engine/local_placement.hpp"

namespace ckpt {

namespace {

using testing::Pair;
using What = LocalNow::What;

LocalFile file_at(const std::string& path, LocalFile::Kind kind = LocalFile::Kind::file) {
    LocalFile file;
    file.kind = kind;
    file.root = "/tmp";
    file.path = path;
    file.device = 7;
    file.inode = 11;
    return file;
}

TEST(BelowRoot, TheLongestRootCounts) {
    const std::vector<std::string> roots{"/tmp", "/tmp/fast", "/dev/shm"};
    EXPECT_THAT(below_root(roots, "/tmp/a/b"), Pair("/tmp", "a/b"));
    EXPECT_THAT(below_root(roots, "/tmp/fast/b"), Pair("/tmp/fast", "b"));
    EXPECT_THAT(below_root(roots, "/dev/shm/x"), Pair("/dev/shm", "x"));
    for (const char* outside : {"/tmp", "/tmp/", "/tmpx/a", "/home/tmp/a", "tmp/a", ""})
        EXPECT_THAT(below_root(roots, outside), Pair("", "")) << outside;
    EXPECT_THAT(below_root({}, "/tmp/a"), Pair("", ""));
}

TEST(Placement, OnAnotherNode) {
    EXPECT_EQ(*decide_placement(file_at("a"), {What::missing, 0, 0, 0, 0}, false), Placement::create);
    // left behind by an earlier incarnation
    EXPECT_EQ(*decide_placement(file_at("a"), {What::same_kind, 7, 12, 0, 0}, false), Placement::replace);
    EXPECT_EQ(*decide_placement(file_at("a"), {What::same_kind, 7, 11, 0, 0}, false), Placement::replace)
        << "the same numbers on another node are another file";
    for (const auto kind : {LocalFile::Kind::directory, LocalFile::Kind::fifo})
        EXPECT_EQ(*decide_placement(file_at("a", kind), {What::same_kind, 7, 12, 0, 0}, false),
                  Placement::leave);
}

TEST(Placement, OnTheSameNode) {
    LocalFile file = file_at("a");
    EXPECT_EQ(*decide_placement(file, {What::same_kind, 7, 11, 0, 0}, true), Placement::leave)
        << "a log that others may append to is cut back, not replaced";
    file.only_grows = false;
    EXPECT_EQ(*decide_placement(file, {What::same_kind, 7, 11, 0, 0}, true), Placement::replace)
        << "its content may have changed in place";
}

TEST(Placement, WhatSomebodyElseControlsIsRefused) {
    for (const What what : {What::foreign, What::other_kind}) {
        const auto placement = decide_placement(file_at("a"), {what, 0, 0, 0, 0}, false);
        ASSERT_FALSE(placement);
        EXPECT_EQ(placement.error().code, Code::restore_failed);
        EXPECT_THAT(placement.error().what, testing::HasSubstr("/tmp/a"));
    }
}

TEST(WithDirectories, ParentsComeFirstAndKeepTheirMode) {
    LocalFile directory = file_at("a", LocalFile::Kind::directory);
    directory.mode = 0750;
    const auto all = with_directories({file_at("a/b/c"), directory, file_at("a/b-d")});
    std::vector<std::string> paths;
    for (const LocalFile& file : all)
        paths.push_back(file.full_path());
    EXPECT_THAT(paths, testing::ElementsAre("/tmp/a", "/tmp/a/b", "/tmp/a/b-d", "/tmp/a/b/c"));
    EXPECT_EQ(all[0].mode, 0750U);
    EXPECT_EQ(all[1].kind, LocalFile::Kind::directory);
    EXPECT_EQ(all[1].mode, 0700U);
    EXPECT_EQ(all[3].kind, LocalFile::Kind::file);
}

} // namespace
} // namespace ckpt
