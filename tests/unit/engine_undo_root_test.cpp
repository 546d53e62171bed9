// SPDX-License-Identifier: GPL-2.0-or-later
// Records of a restore: that somebody else has made, where they may, and of one that is under way.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "engine/leftovers.hpp"
#include "engine/local_placement.hpp"
#include "engine/tails.hpp"
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

// The user's file is put back as it was at a checkpoint, by a restore of this process.
class UnderWay : public ForgedRecord {
protected:
    void SetUp() override {
        ForgedRecord::SetUp();
        m_images = directory("images");
        m_tail_dir = directory("tails");
        m_tails = std::make_unique<Tails>(m_tail_dir.get());
        m_files = std::make_unique<LocalFiles>(m_place, m_images.get(), *m_tails, k_job);
        write("images/c", "old", k_user);
        LocalFile file;
        file.root = m_path;
        file.path = "data";
        file.mode = 0600;
        file.inode = m_record.entries[0].inode;
        file.size = 3;
        file.mtime_ns = 5'000'000'007;
        file.content = "c";
        m_dump.copied_files.push_back(file);
    }
    Fd directory(const std::string& name) const {
        fs::create_directory(m_path + "/" + name);
        return Fd(::open((m_path + "/" + name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    Status put_back() {
        CKPT_CHECK(m_files->plan(m_dump, {}, {}, k_long));
        return m_files->apply(k_long, INT64_MAX / 2);
    }
    // Another restore of the job, or ckptd's undo.
    bool clear(std::chrono::milliseconds limit) {
        return clear_leftovers(m_dump, k_job, false, m_place, *m_tails, k_most, limit).has_value();
    }
    [[nodiscard]] bool is_clean() const {
        return std::ranges::none_of(fs::directory_iterator(m_path), [](const auto& one) {
            return one.path().filename().string().starts_with(".");
        });
    }

    static constexpr std::chrono::milliseconds k_long{60'000};
    static constexpr std::chrono::milliseconds k_short{200};
    static constexpr std::uint64_t k_most = 1 << 20;
    DumpRecord m_dump;
    Fd m_images;
    Fd m_tail_dir;
    UserPlace m_place{{k_user, k_user, {}}, -1};
    std::unique_ptr<Tails> m_tails;
    std::unique_ptr<LocalFiles> m_files;
};

TEST_F(UnderWay, ItsFilesAreItsOwn) {
    const Status done = put_back();
    ASSERT_TRUE(done) << one_line(done.error());
    EXPECT_FALSE(clear(k_short));
    EXPECT_EQ(data(), "old") << "a tree is being made with it";
    ASSERT_TRUE(m_files->finish(k_long));
    EXPECT_TRUE(clear(k_long)) << "nothing to undo";
    EXPECT_FALSE(is_clean()) << "what it held is this restore's to keep";
    m_files->settle(k_most, k_long);
    EXPECT_TRUE(is_clean());
    EXPECT_EQ(data(), "old");
}

TEST_F(UnderWay, OnceItIsDeadTheNextUndoesIt) {
    ASSERT_TRUE(put_back());
    m_files.reset();
    EXPECT_TRUE(clear(k_long));
    EXPECT_EQ(data(), "mine");
    EXPECT_TRUE(is_clean());
}

TEST_F(UnderWay, ItCanBeUndoneByItself) {
    ASSERT_TRUE(put_back());
    const Status undone = m_files->undo(k_long);
    EXPECT_TRUE(undone) << one_line(undone.error());
    EXPECT_EQ(data(), "mine");
    EXPECT_TRUE(is_clean());
}

} // namespace
} // namespace ckpt
