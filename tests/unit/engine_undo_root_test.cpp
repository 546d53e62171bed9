// SPDX-License-Identifier: GPL-2.0-or-later
// Records of a restore that somebody else has made, where they may.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/undo.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr uid_t k_user = 65534;
constexpr uid_t k_other = 1;
constexpr const char* k_job = "7-01234567-0-0";

class ForgedRecord : public ::testing::Test {
protected:
    void SetUp() override {
        std::string path = "/tmp/ckpt-undo-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        m_path = path;
        ASSERT_EQ(::chmod(m_path.c_str(), 01777), 0);
        write("data", "mine", k_user);
        struct stat st{};
        ASSERT_EQ(::stat((m_path + "/data").c_str(), &st), 0);
        m_record.root = m_path;
        m_record.prefix = undo_prefix(k_job) + "5";
        m_record.until_ns = INT64_MAX / 2;
        UndoEntry entry;
        entry.name = "data";
        entry.placement = Placement::rewrite;
        entry.helper = m_record.prefix + ".0";
        entry.was = {st.st_ino, 4, 0600, 0, {{0, 4}}};
        entry.inode = st.st_ino;
        entry.size = 4;
        m_record.entries.push_back(entry);
    }
    void TearDown() override { fs::remove_all(m_path); }

    void write(const std::string& name, const std::string& text, uid_t owner) const {
        const std::string path = m_path + "/" + name;
        std::ofstream(path) << text;
        ASSERT_EQ(::chown(path.c_str(), owner, owner), 0);
        ASSERT_EQ(::chmod(path.c_str(), owner == k_user ? 0600 : 0644), 0);
    }
    // As the user: how many records there are to undo, after they were; -1 = it failed.
    int undo_as_user() const {
        const pid_t child = ::fork();
        if (child == 0) {
            if (::setgid(k_user) != 0 || ::setuid(k_user) != 0) ::_exit(255);
            LocalFile file;
            file.root = m_path;
            file.path = "data";
            Leftovers found;
            if (!find_leftovers(file, k_job, found)) ::_exit(255);
            for (const UndoRecord& record : found.open)
                (void)undo(record, UndoEnd::min());
            ::_exit(static_cast<int>(found.open.size()));
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] std::string data() const {
        std::ifstream in(m_path + "/data");
        return {std::istreambuf_iterator<char>(in), {}};
    }

    std::string m_path;
    UndoRecord m_record;
};

TEST_F(ForgedRecord, IsNotFollowed) {
    write(m_record.prefix + ".undo", to_json({m_record}), k_other);
    write(m_record.entries[0].helper + ".saved", "evil", k_other);
    EXPECT_EQ(undo_as_user(), 0);
    EXPECT_EQ(data(), "mine");
}

TEST_F(ForgedRecord, CannotMakeARestoreFailEither) {
    write(m_record.prefix + ".undo", to_json({m_record}), k_other);
    ASSERT_EQ(::chmod((m_path + "/" + m_record.prefix + ".undo").c_str(), 0600), 0);
    EXPECT_EQ(undo_as_user(), 0);
    EXPECT_EQ(data(), "mine");
}

TEST_F(ForgedRecord, OneOfOursThatCannotBeReadIsNotPassedOver) {
    write(m_record.prefix + ".undo", to_json({m_record}), k_user);
    ASSERT_EQ(::chmod((m_path + "/" + m_record.prefix + ".undo").c_str(), 0), 0);
    EXPECT_EQ(undo_as_user(), -1);
}

TEST_F(ForgedRecord, NorIsForgedContentUnderARecordOfOurs) {
    write(m_record.prefix + ".undo", to_json({m_record}), k_user);
    write(m_record.entries[0].helper + ".saved", "evil", k_other);
    EXPECT_EQ(undo_as_user(), 1);
    EXPECT_EQ(data(), "mine");
}

TEST_F(ForgedRecord, TheUsersOwnIs) { // or the tests above could not fail
    write(m_record.prefix + ".undo", to_json({m_record}), k_user);
    write(m_record.entries[0].helper + ".saved", "once", k_user);
    EXPECT_EQ(undo_as_user(), 1);
    EXPECT_EQ(data(), "once");
}

} // namespace
} // namespace ckpt
