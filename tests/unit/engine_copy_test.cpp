// SPDX-License-Identifier: GPL-2.0-or-later
// Files that go back to the content they had: which, what becomes of what is there, and how it is written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/copied_files.hpp"
#include "engine/linked_files.hpp"
#include "engine/local_roots.hpp"
#include "engine/placement.hpp"
#include "engine/rewrite.hpp"
#include "engine/saved_output.hpp"
#include "engine/tails.hpp"
#include "engine/task_environment.hpp"

namespace ckpt {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using What = LocalNow::What;

OpenFile open_file(const std::string& path, std::uint32_t flags, std::uint64_t inode = 100) {
    return {path, 1, inode, 50, 0, flags};
}

std::vector<std::string> paths_of(const std::vector<LocalFile>& files) {
    std::vector<std::string> paths;
    for (const LocalFile& file : files)
        paths.push_back(file.full_path());
    return paths;
}

TEST(FilesToCopy, WhatIsWrittenInPlace) {
    const auto files =
        files_to_copy({open_file("/h/log", O_WRONLY | O_APPEND), open_file("/h/data", O_RDWR),
                       open_file("/h/data", O_WRONLY), open_file("/h/out", O_WRONLY),
                       open_file("memfd:x", O_RDWR), open_file("/top", O_RDWR)},
                      {open_file("/h/mapped", O_RDWR), open_file("/h/log", O_RDWR)}, {"/h/out"});
    EXPECT_THAT(paths_of(files), ElementsAre("/h/data", "/h/log", "/h/mapped", "/top"));
}

LocalFile copied(LocalFile::Kind kind = LocalFile::Kind::file) {
    LocalFile file;
    file.kind = kind;
    file.root = "/h";
    file.path = "data";
    file.inode = 11;
    file.size = 50;
    file.mtime_ns = 1000;
    return file;
}

constexpr PlacingRules k_stopped{true, false};
constexpr PlacingRules k_ignoring{true, true};
constexpr PlacingRules k_ran_on{false, false};

TEST(DecideCopy, ContentGoesBack) {
    EXPECT_EQ(*decide_copy(copied(), {What::missing, 0, 0, 0, 0}, k_stopped), Placement::create);
    EXPECT_EQ(*decide_copy(copied(), {What::same_kind, 1, 12, 50, 1000}, k_ran_on), Placement::replace);
    EXPECT_EQ(*decide_copy(copied(), {What::same_kind, 1, 11, 60, 1000}, k_stopped), Placement::rewrite);
    EXPECT_EQ(*decide_copy(copied(), {What::same_kind, 1, 11, 50, 1001}, k_stopped), Placement::rewrite);
    EXPECT_EQ(*decide_copy(copied(), {What::same_kind, 1, 11, 50, 1000}, k_stopped), Placement::leave);
    EXPECT_EQ(*decide_copy(copied(), {What::same_kind, 1, 11, 50, 1000}, k_ran_on), Placement::rewrite)
        << "a mapping changes a file without a trace in its time";
}

TEST(DecideCopy, AJournalThatWasNotThereGoesAway) {
    const LocalFile journal = copied(LocalFile::Kind::absent);
    EXPECT_EQ(*decide_copy(journal, {What::missing, 0, 0, 0, 0}, k_stopped), Placement::leave);
    EXPECT_EQ(*decide_copy(journal, {What::same_kind, 1, 12, 50, 1}, k_ran_on), Placement::remove);
}

// Inode numbers are given again, and are the same in different file systems.
TEST(DecideCopy, AFileBornAtAnotherTimeIsAnotherFile) {
    LocalFile file = copied();
    file.born_ns = 5;
    EXPECT_EQ(*decide_copy(file, {What::same_kind, 1, 11, 60, 1000, 6}, k_ran_on), Placement::replace);
    EXPECT_EQ(*decide_copy(file, {What::same_kind, 1, 11, 60, 1000, 5}, k_ran_on), Placement::rewrite);
    EXPECT_EQ(*decide_copy(file, {What::same_kind, 1, 11, 60, 1000, 0}, k_ran_on), Placement::rewrite)
        << "not every file system tells";
}

TEST(DecideCopy, WhatIsSomebodyElsesIsRefused) {
    for (const What what : {What::foreign, What::other_kind})
        EXPECT_EQ(decide_copy(copied(), {what, 0, 0, 0, 0}, k_ignoring).error().code, Code::rollback_refused);
}

// Nothing of the job wrote after the cut: whoever did is somebody else.
TEST(DecideCopy, WhatOthersHaveChangedIsRefusedOrPutBackByPolicy) {
    const LocalNow other{What::same_kind, 1, 12, 50, 1000};
    EXPECT_EQ(decide_copy(copied(), other, k_stopped).error().code, Code::rollback_refused);
    EXPECT_EQ(*decide_copy(copied(), other, k_ignoring), Placement::replace);
    const LocalFile journal = copied(LocalFile::Kind::absent);
    EXPECT_EQ(decide_copy(journal, other, k_stopped).error().code, Code::rollback_refused);
    EXPECT_EQ(*decide_copy(journal, other, k_ignoring), Placement::remove);
    const Rewrite same{11, 50, 0, 1001, {}};
    const Rewrite differs{11, 50, 0, 1001, {{0, 50}}};
    EXPECT_TRUE(judge_rewrite(copied(), same, k_stopped)) << "late pages of a mapping change the time only";
    EXPECT_EQ(judge_rewrite(copied(), differs, k_stopped).error().code, Code::rollback_refused);
    EXPECT_TRUE(judge_rewrite(copied(), differs, k_ignoring));
    EXPECT_TRUE(judge_rewrite(copied(), differs, k_ran_on));
    EXPECT_EQ(note_on_changed("/h/data", Placement::rewrite, same), "");
    EXPECT_THAT(note_on_changed("/h/data", Placement::rewrite, differs), ::testing::HasSubstr("/h/data"));
}

class RewriteTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "ckpt-rewrite-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_dir = name;
        m_images = Fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        m_saved = Fd(::open((m_dir + "/saved").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        m_file.root = m_dir;
        m_file.path = "data";
        m_file.content = "copy-0";
        m_file.mode = 0640;
        m_file.mtime_ns = 5'000'000'007;
    }
    void TearDown() override { std::filesystem::remove_all(m_dir); }

    void put(const std::string& name, const std::string& text) const {
        std::ofstream(m_dir + "/" + name, std::ios::binary) << text;
    }
    [[nodiscard]] std::string text() const {
        std::ifstream in(m_dir + "/data", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    void there_and_back(const std::string& was, const std::string& is) {
        put("copy-0", was);
        put("data", is);
        m_file.size = was.size();
        const auto rewrite = save_differences(m_file, m_images.get(), m_saved.get(), 1 << 30);
        ASSERT_TRUE(rewrite) << one_line(rewrite.error());
        EXPECT_EQ(rewrite_from_text(to_text(*rewrite)), *rewrite);
        EXPECT_EQ(text(), is);
        ASSERT_TRUE(write_differences(m_file, m_images.get(), *rewrite));
        EXPECT_EQ(text(), was);
        struct stat st{};
        ASSERT_EQ(::stat((m_dir + "/data").c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 07777U, 0640U);
        EXPECT_EQ(st.st_mtim.tv_nsec, 7);
        ASSERT_TRUE(undo_rewrite(m_file, *rewrite, m_saved.get()));
        EXPECT_EQ(text(), is);
        ASSERT_EQ(::ftruncate(m_saved.get(), 0), 0);
    }

    std::string m_dir;
    Fd m_images;
    Fd m_saved;
    LocalFile m_file;
};

TEST_F(RewriteTest, EveryWayAFileMayHaveChanged) {
    const std::string large(200'000, 'a');
    std::string changed = large;
    changed[70'000] = 'b';
    const std::string zeros(150'000, '\0');
    for (const std::string& was : {std::string(), std::string("short"), large, changed, zeros, large + zeros})
        for (const std::string& is :
             {std::string(), std::string("SHORT"), large, changed, zeros, zeros + "x"})
            there_and_back(was, is);
}

TEST_F(RewriteTest, OnlyWhatDiffersIsWritten) {
    put("copy-0", std::string(200'000, 'a'));
    std::string is(200'000, 'a');
    is[70'000] = 'b';
    put("data", is);
    m_file.size = is.size();
    const auto rewrite = save_differences(m_file, m_images.get(), m_saved.get(), 1 << 30);
    ASSERT_TRUE(rewrite);
    EXPECT_THAT(rewrite->ranges, ElementsAre(std::pair<std::uint64_t, std::uint64_t>(65536, 131072)));
    EXPECT_EQ(save_differences(m_file, m_images.get(), m_saved.get(), 100).error().errnum, EFBIG);
}

TEST_F(RewriteTest, AnotherFileIsNotTouched) {
    put("copy-0", "was");
    put("data", "is");
    m_file.size = 3;
    auto rewrite = save_differences(m_file, m_images.get(), m_saved.get(), 1 << 30);
    ASSERT_TRUE(rewrite);
    ++rewrite->inode;
    EXPECT_EQ(write_differences(m_file, m_images.get(), *rewrite).error().code, Code::rollback_refused);
    EXPECT_EQ(text(), "is");
}

TEST_F(RewriteTest, OfATailTheNewestStays) {
    Tails tails(m_images.get());
    const auto tail = tails.make("/h/a b", 10);
    ASSERT_TRUE(tail);
    ASSERT_EQ(::pwrite(tail->file.get(), "0123456789", 10, 0), 10);
    ASSERT_TRUE(tails.cap(*tail, 10));
    ASSERT_TRUE(tails.cap(*tail, 4));
    std::ifstream kept(m_dir + "/" + tail->name);
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(kept), {}}), "6789");
    std::ifstream index(m_dir + "/index");
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(index), {}}),
              tail->name + " 10 /h/a b\n" + tail->name + " 16 /h/a b, 6 bytes before it not kept\n");
}

TEST(OutputIsEmptied, AsTheUserOrNobodyHasSaid) {
    using std::string_view_literals::operator""sv;
    EXPECT_TRUE(output_is_emptied("A=b\0SLURM_OPEN_MODE=t\0"sv));
    EXPECT_FALSE(output_is_emptied("SLURM_OPEN_MODE=a\0A=b\0"sv));
    EXPECT_FALSE(output_is_emptied("SLURM_SPANK_CKPT_OPEN_MODE=made-append\0A=b\0"sv));
    EXPECT_TRUE(output_is_emptied("A=b\0"sv)) << "slurm.conf may say so";
    EXPECT_TRUE(output_is_emptied(""));
    EXPECT_TRUE(output_is_emptied("SLURM_OPEN_MODE=t"));
}

TEST(LocalRoots, OnlyWhatIsKnownToBeTheNodes) {
    EXPECT_TRUE(is_node_local(EXT4_SUPER_MAGIC));
    EXPECT_TRUE(is_node_local(TMPFS_MAGIC));
    for (const long shared : {long{NFS_SUPER_MAGIC}, long{FUSE_SUPER_MAGIC}, 0x0BD00BD0L, 0x47504653L, 0L})
        EXPECT_FALSE(is_node_local(shared)) << std::hex << shared; // NFS, FUSE, Lustre, GPFS
}

TEST(Environment, AVariableIsFoundByItsWholeName) {
    using std::string_view_literals::operator""sv;
    EXPECT_EQ(variable_in("XTMPDIR=/a\0TMPDIR=/b\0TMPDIR2=/c\0"sv, "TMPDIR"), "/b");
    EXPECT_EQ(variable_in("TMPDIR"sv, "TMPDIR"), "");
    EXPECT_EQ(variable_in(""sv, "TMPDIR"), "");
}

TEST(RenameLinked, AFileGoesUnderTheNameItHas) {
    std::vector<OpenFile> files = {open_file("/h/near.tmp (deleted)", O_RDWR, 1),
                                   open_file("/h/.nfs0001", O_RDWR, 2), open_file("/h/near", O_RDWR, 1),
                                   open_file("/h/other", O_RDWR, 2)};
    LinkedFile near;
    near.inode = 1;
    near.sibling = "/h/near";
    LinkedFile nfs;
    nfs.inode = 2;
    rename_linked(files, {near, nfs});
    std::vector<std::string> paths;
    for (const OpenFile& file : files)
        paths.push_back(file.path);
    EXPECT_THAT(paths, ElementsAre("/h/near", "/h/near", "/h/other"));
    rename_linked(files, {});
    EXPECT_EQ(files.size(), 3U);
}

} // namespace

} // namespace ckpt
