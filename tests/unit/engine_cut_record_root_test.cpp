// SPDX-License-Identifier: GPL-2.0-or-later
// What a restore that was killed had cut from the user's files is put back by whoever comes after it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "engine/cut_record.hpp"
#include "os/files.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr uid_t k_user = 65534;
constexpr std::chrono::milliseconds k_limit{10'000};
const std::string k_before = "line 1\nline 2\nline 3\n";
constexpr std::uint64_t k_to = 7; // behind "line 1\n"

class KilledRestore : public ::testing::Test {
protected:
    void SetUp() override {
        std::string path = "/tmp/ckpt-cuts-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        m_path = path;
        ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
        ASSERT_EQ(::mkdir((m_path + "/tails").c_str(), 0700), 0);
        m_dir = Fd(::open((m_path + "/tails").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ASSERT_EQ(::mkdir((m_path + "/of user").c_str(), 0755), 0);
        ASSERT_EQ(::chown((m_path + "/of user").c_str(), k_user, k_user), 0);
        write(k_before);
        ASSERT_EQ(::chown(output().c_str(), k_user, k_user), 0);
        struct stat st{};
        ASSERT_EQ(::stat(output().c_str(), &st), 0);
        m_tails.emplace(m_dir.get());
        m_record.emplace(*m_tails, "7-01234567-batch-0");
        auto tail = m_tails->make(output(), k_to);
        ASSERT_TRUE(tail) << tail.error().what;
        ASSERT_TRUE(write_all(tail->file.get(), k_before.substr(k_to)));
        m_cut = {{output(), st.st_ino, k_before.size(), k_to}, tail->name};
        ASSERT_TRUE(m_record->write({m_cut}));
    }
    void TearDown() override { fs::remove_all(m_path); }

    void begin_again() {
        TearDown();
        SetUp();
    }

    std::string output() const { return m_path + "/of user/a b.out"; }
    void write(const std::string& text) const {
        std::ofstream(output()) << text;
    }
    std::string read() const {
        std::ifstream in(output());
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void take_back() const {
        const Status done = take_back_cuts(*m_record, *m_tails, {JobUser{{k_user, k_user, {}}}, -1}, k_limit);
        ASSERT_TRUE(done) << done.error().what;
        EXPECT_TRUE(m_record->read()->empty());
        EXPECT_FALSE(fs::exists(m_path + "/tails/" + m_cut.tail));
    }

    std::string m_path;
    Fd m_dir;
    std::optional<Tails> m_tails;
    std::optional<CutRecord> m_record;
    OpenCut m_cut;
};

TEST_F(KilledRestore, SaysWhatItHadUnderWay) {
    const auto cuts = m_record->read();
    ASSERT_TRUE(cuts) << cuts.error().what;
    EXPECT_EQ(*cuts, std::vector<OpenCut>{m_cut});
    EXPECT_TRUE(CutRecord(*m_tails, "7-01234567-0-1").read()->empty()) << "another task's";
}

TEST_F(KilledRestore, WhatItHadCutIsPutBack) {
    write(k_before.substr(0, k_to));
    take_back();
    EXPECT_EQ(read(), k_before);
}

TEST_F(KilledRestore, InThePlaceOfWhatItsTreeHasWritten) {
    for (const std::string more : {"lin", "line 2 again\nline 3 again\n", "line 2\nline X\n"}) {
        begin_again();
        write(k_before.substr(0, k_to) + more);
        take_back();
        EXPECT_EQ(read(), k_before) << more;
    }
}

TEST_F(KilledRestore, WhatItHadNotCutYetStays) {
    take_back();
    EXPECT_EQ(read(), k_before);
    begin_again();
    write(k_before + "somebody else's\n");
    take_back();
    EXPECT_EQ(read(), k_before + "somebody else's\n");
}

TEST_F(KilledRestore, WhatHasAnotherBeginningNowIsTheUsers) {
    write("new");
    take_back();
    EXPECT_EQ(read(), "new");
    begin_again();
    ASSERT_TRUE(fs::remove(output()));
    take_back();
    EXPECT_FALSE(fs::exists(output()));
}

} // namespace
} // namespace ckpt
