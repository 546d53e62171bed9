// SPDX-License-Identifier: GPL-2.0-or-later
// Which output files are cut, left or refused, and what the restored tree inherits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/inherit.hpp"
#include "engine/rollback.hpp"

namespace ckpt {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t k_append = O_WRONLY | O_APPEND;

OpenFile file(const std::string& path, std::uint32_t flags, std::uint64_t size, std::uint64_t position) {
    return {path, 1, 100, size, position, flags};
}

struct Case {
    DumpRecord record;
    FileNow now{true, 100, 0};
    bool stopped = false;
};

Result<std::vector<Cut>> decide(const Case& c) {
    const auto files = recorded_files(c.record, {});
    CKPT_TRY(auto plan,
             decide_rollback(files, std::vector<FileNow>(files.size(), c.now), {c.stopped, false}));
    return std::move(plan.cuts);
}

Case one(std::uint32_t flags, std::uint64_t size, std::uint64_t position, std::uint64_t size_now,
         bool stopped = false) {
    Case c;
    c.record.files = {file("/d/f", flags, size, position)};
    c.now.size = size_now;
    c.stopped = stopped;
    return c;
}

TEST(Rollback, AFileOfTheSameSizeStays) {
    EXPECT_THAT(*decide(one(O_WRONLY, 50, 50, 50)), IsEmpty());
    EXPECT_THAT(*decide(one(k_append, 50, 10, 50)), IsEmpty());
}

TEST(Rollback, AFileWithoutAppendIsCut) {
    EXPECT_THAT(*decide(one(O_RDWR, 50, 10, 80)), ElementsAre(Cut{"/d/f", 100, 80, 50}));
    EXPECT_THAT(*decide(one(O_WRONLY, 50, 10, 80, true)), SizeIs(1));
}

TEST(Rollback, AnAppendFileIsCutOnlyWhenTheJobWroteTheEnd) {
    EXPECT_THAT(*decide(one(k_append, 50, 50, 80)), ElementsAre(Cut{"/d/f", 100, 80, 50}));
    EXPECT_THAT(*decide(one(k_append, 50, 30, 80)), IsEmpty());       // array elements share results.csv
    EXPECT_THAT(*decide(one(k_append, 50, 50, 80, true)), IsEmpty()); // only Slurm's last lines came later
}

// The shim's lines go to Slurm's output file too; its offset counts as the tree's.
TEST(Rollback, SlurmsOutputIsTheJobsUnlessOthersWriteThereToo) {
    Case c = one(k_append, 50, 30, 80);
    EXPECT_THAT(*decide(c), IsEmpty());
    c.record.files.push_back(file("/d/f", k_append, 50, 50));
    EXPECT_THAT(*decide(c), SizeIs(1));
}

TEST(Rollback, ReadableAppendFilesAreCutOrRefused) {
    // CRIU checks the size of these (files-reg.c:should_check_size)
    EXPECT_THAT(*decide(one(O_RDWR | O_APPEND, 50, 50, 80)), SizeIs(1));
    EXPECT_EQ(decide(one(O_RDWR | O_APPEND, 50, 30, 80)).error().code, Code::rollback_refused);
}

TEST(Rollback, AFileBornAtAnotherTimeIsAnotherFile) {
    Case c = one(O_RDWR, 50, 10, 80);
    c.record.files[0].born_ns = 5;
    EXPECT_THAT(*decide(c), SizeIs(1)) << "nothing is known of the one that is there";
    c.now.born_ns = 5;
    EXPECT_THAT(*decide(c), SizeIs(1));
    c.now.born_ns = 6;
    EXPECT_EQ(decide(c).error().code, Code::rollback_refused);
}

TEST(Rollback, RefusesWhatIsNotAsItWasLeft) {
    EXPECT_EQ(decide(one(O_RDWR, 50, 50, 40)).error().code, Code::rollback_refused); // shrunk
    EXPECT_THAT(*decide(one(k_append, 50, 50, 0)), IsEmpty()); // emptied, and appended to from there
    Case c = one(k_append, 50, 50, 50);
    c.now.inode = 101; // replaced
    EXPECT_EQ(decide(c).error().code, Code::rollback_refused);
    c.now = {};
    const auto gone = decide(c);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Code::rollback_refused);
    EXPECT_NE(gone.error().what.find("/d/f"), std::string::npos);
}

TEST(Rollback, WhatOthersHaveChangedMayBeIgnored) {
    const auto ignoring = [](const Case& c) {
        const auto files = recorded_files(c.record, {});
        return decide_rollback(files, std::vector<FileNow>(files.size(), c.now), {c.stopped, true});
    };
    Case c = one(k_append, 50, 50, 20);
    c.now.inode = 101;
    const auto plan = ignoring(c);
    ASSERT_TRUE(plan);
    EXPECT_THAT(plan->cuts, IsEmpty());
    ASSERT_THAT(plan->ignored, SizeIs(1));
    EXPECT_NE(plan->ignored[0].find("/d/f was replaced"), std::string::npos);
    c = one(O_RDWR, 50, 50, 50);
    c.now.inode = 101;
    EXPECT_THAT(ignoring(c)->ignored, SizeIs(1));
    // what CRIU insists on
    c.now.size = 51;
    EXPECT_NE(ignoring(c).error().what.find("CRIU needs"), std::string::npos);
    EXPECT_NE(ignoring(one(O_RDWR, 50, 50, 40)).error().what.find("CRIU needs"), std::string::npos);
    c.now = {};
    EXPECT_NE(ignoring(c).error().what.find("CRIU needs"), std::string::npos);
}

TEST(Rollback, OpeningsOfOneFileAreMerged) {
    DumpRecord record;
    record.files = {file("/d/f", k_append, 50, 20), file("/d/f", O_RDWR, 50, 50),
                    file("/d/g", k_append, 9, 9)};
    const auto files = recorded_files(record, {"/d/g"});
    ASSERT_THAT(files, SizeIs(1));
    EXPECT_EQ(files[0].furthest, 50U);
    EXPECT_FALSE(files[0].only_append);
    EXPECT_TRUE(files[0].size_checked);
}

TEST(Rollback, DescribesACut) {
    EXPECT_EQ(describe({"/d/f", 1, 300, 266}), "/d/f: cut from 300 to 266 bytes");
}

TEST(Rollback, NamesTenFilesAndCountsTheRest) {
    const std::vector<std::string> ten(10, "/d/f: cut from 300 to 266 bytes");
    EXPECT_EQ(listed_cuts(ten), ten);
    std::vector<std::string> many = ten;
    many.resize(501, "/d/g: cut from 300 to 266 bytes");
    std::vector<std::string> told = ten;
    told.emplace_back("as well: 491 more files"); // "rolled back as well", ckptd says
    EXPECT_EQ(listed_cuts(many), told);
    told.back() = "the same holds for 491 more files";
    EXPECT_EQ(listed_notes(many), told);
}

// ---- inheritance ----

const StdioIdentity k_null{StdioIdentity::Kind::other, 0, ""};

StdioIdentity pipe_of(std::uint64_t inode) {
    return {StdioIdentity::Kind::pipe, inode, ""};
}
StdioIdentity file_of(const std::string& path, std::uint64_t inode) {
    return {StdioIdentity::Kind::file, inode, path};
}

TEST(Inherit, TheStatusPipeAlways) {
    DumpRecord record;
    record.status_pipe = 7;
    record.stdio = {k_null, file_of("/d/out", 5), file_of("/d/out", 5)};
    EXPECT_THAT(plan_inheritance(record, record.stdio, ""),
                ElementsAre(Inheritance{"pipe:[7]", NewFile::status_pipe, std::nullopt}));
}

TEST(Inherit, PipesOfAStep) {
    DumpRecord record;
    record.status_pipe = 7;
    record.stdio = {pipe_of(1), pipe_of(2), pipe_of(2)};
    const auto plan = plan_inheritance(record, {pipe_of(11), pipe_of(12), pipe_of(13)}, "");
    EXPECT_THAT(plan, ElementsAre(Inheritance{"pipe:[7]", NewFile::status_pipe, std::nullopt},
                                  Inheritance{"pipe:[1]", NewFile::standard_input, std::nullopt},
                                  Inheritance{"pipe:[2]", NewFile::standard_output, std::nullopt}));
}

TEST(Inherit, AnOutputFileThatMovedAndNeverARegularInput) {
    DumpRecord record;
    record.stdio = {file_of("/d/in", 4), file_of("/d/old", 5), file_of("/d/err", 6)};
    const auto plan =
        plan_inheritance(record, {file_of("/d/in2", 8), file_of("/d/new", 9), file_of("/d/err", 6)}, "");
    ASSERT_THAT(plan, SizeIs(2));
    EXPECT_EQ(plan[1], (Inheritance{"d/old", NewFile::standard_output, "/d/old"}));
}

TEST(Inherit, AScriptThatMoved) {
    DumpRecord record;
    record.script = ScriptPosition{"/spool/job1/slurm_script", 30};
    EXPECT_THAT(plan_inheritance(record, {}, "/spool/job1/slurm_script"), SizeIs(1));
    EXPECT_THAT(plan_inheritance(record, {}, ""), SizeIs(1));
    const auto plan = plan_inheritance(record, {}, "/spool/job2/slurm_script");
    ASSERT_THAT(plan, SizeIs(2));
    EXPECT_EQ(plan[1].key, "spool/job1/slurm_script");
    EXPECT_EQ(plan[1].from, NewFile::script);
}

TEST(Complaints, AreFoundInWhatIsCut) {
    EXPECT_THAT(complaints_in("line 1\ncheckpoint: no room [CKPT-405]; generation 1 stands\nline 2\n"),
                testing::ElementsAre("no room [CKPT-405]; generation 1 stands"));
}

TEST(Complaints, AreNotWhatTheProgramSays) {
    EXPECT_THAT(
        complaints_in("checkpoint: saved model 3\n checkpoint: x [CKPT-405]\nx checkpoint: [CKPT-1]\n"),
        testing::IsEmpty());
    EXPECT_THAT(complaints_in("checkpoint: half a line [CKPT-405]"), testing::IsEmpty());
    EXPECT_THAT(complaints_in(""), testing::IsEmpty());
}

TEST(Complaints, TheLastFourAreEnough) {
    std::string tail;
    for (int i = 0; i < 100; ++i)
        tail += "checkpoint: " + std::to_string(i) + " [CKPT-401]\n";
    const auto found = complaints_in(tail);
    ASSERT_EQ(found.size(), 4U);
    EXPECT_EQ(found.back(), "99 [CKPT-401]");
}

} // namespace

} // namespace ckpt
