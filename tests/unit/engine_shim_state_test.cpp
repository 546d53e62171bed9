// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine takes from, and gives back to, a descriptor that a user's process has named.
#include "engine/shim_state.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "os/fd.hpp"
#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr off_t k_max = off_t{32} << 20U;

class ShimState : public ::testing::Test {
protected:
    // Where the tests are run: on a disk, which the directory for temporary files need not be.
    void SetUp() override {
        std::string name = (std::filesystem::current_path() / "ckpt-state-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_path = name;
        m_images = Fd(::open(m_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    void TearDown() override { std::filesystem::remove_all(m_path); }

    static Fd memory(const std::string& content) {
        Fd fd(::memfd_create("state", MFD_CLOEXEC));
        EXPECT_TRUE(write_all(fd.get(), content));
        return fd;
    }
    static std::string content_of(int fd) {
        EXPECT_EQ(::lseek(fd, 0, SEEK_SET), 0);
        return read_all(fd, 2 * static_cast<std::size_t>(k_max)).value_or("cannot be read");
    }
    Fd file_on_disk() {
        const std::string path = m_path + "/file";
        std::ofstream(path) << "of the user's choice";
        return Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    }
    [[nodiscard]] bool is_on_disk() const {
        struct statfs system{};
        return ::statfs(m_path.c_str(), &system) == 0 && system.f_type != TMPFS_MAGIC;
    }
    // Neither way. A test that blocks is ended by its time limit.
    void expect_refused(int fd, const std::string& what) {
        std::filesystem::remove(m_path + "/shim-state");
        const Status saved = save_shim_state(fd, m_images.get());
        ASSERT_FALSE(saved) << what;
        EXPECT_EQ(saved.error().code, Code::dump_refused) << what << ": " << one_line(saved.error());
        EXPECT_FALSE(std::filesystem::exists(m_path + "/shim-state")) << what;
    }

    std::string m_path;
    Fd m_images;
};

TEST_F(ShimState, Travels) {
    std::string content("state\n\0\xff", 8);
    content.append(300'000, 'x');
    const Fd before = memory(content); // its offset is at the end, as the shim has left it
    ASSERT_TRUE(save_shim_state(before.get(), m_images.get()));
    const auto after = load_shim_state(m_images.get());
    ASSERT_TRUE(after);
    EXPECT_TRUE(content_of(after->get()) == content);
    EXPECT_TRUE(content_of(before.get()) == content);
}

TEST_F(ShimState, AnEmptyOneTravelsToo) {
    ASSERT_TRUE(save_shim_state(memory("").get(), m_images.get()));
    const auto after = load_shim_state(m_images.get());
    ASSERT_TRUE(after);
    EXPECT_EQ(content_of(after->get()), "");
}

// Of a generation that was taken without one.
TEST_F(ShimState, ImagesWithoutOneHaveNone) {
    const auto after = load_shim_state(m_images.get());
    ASSERT_TRUE(after);
    EXPECT_FALSE(*after);
}

// criu, which had the directory, may have been the user's instrument.
TEST_F(ShimState, WhatElseLiesInItsPlaceIsNotOpened) {
    ASSERT_EQ(::mkfifo((m_path + "/shim-state").c_str(), 0600), 0);
    EXPECT_FALSE(load_shim_state(m_images.get()));
    std::filesystem::remove(m_path + "/shim-state");
    std::ofstream(m_path + "/other") << "has another name";
    std::filesystem::create_hard_link(m_path + "/other", m_path + "/shim-state");
    EXPECT_FALSE(load_shim_state(m_images.get()));
}

TEST_F(ShimState, OfTheLargestSize) {
    const Fd fits = memory("");
    ASSERT_EQ(::ftruncate(fits.get(), k_max), 0);
    ASSERT_TRUE(save_shim_state(fits.get(), m_images.get()));
    EXPECT_EQ(std::filesystem::file_size(m_path + "/shim-state"), static_cast<std::uintmax_t>(k_max));
}

TEST_F(ShimState, AnOversizedOneIsRefused) {
    for (const off_t size : {k_max + 1, off_t{1} << 50U}) { // holes cost its owner nothing
        const Fd large = memory("");
        ASSERT_EQ(::ftruncate(large.get(), size), 0);
        const Status saved = save_shim_state(large.get(), m_images.get());
        ASSERT_FALSE(saved);
        EXPECT_EQ(saved.error().code, Code::dump_refused) << one_line(saved.error());
        EXPECT_FALSE(std::filesystem::exists(m_path + "/shim-state"));
    }
}

TEST_F(ShimState, WhatIsNoFileIsRefused) {
    const std::string path = m_path + "/fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const Fd fifo(::open(path.c_str(), O_RDWR | O_CLOEXEC)); // a read would wait for ever
    expect_refused(fifo.get(), "a FIFO");
    const auto pipe = make_pipe();
    expect_refused(pipe->read.get(), "a pipe");
    expect_refused(pipe->write.get(), "a pipe's other end");
    const Fd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    expect_refused(zero.get(), "/dev/zero");
    expect_refused(m_images.get(), "a directory");
}

TEST_F(ShimState, AFileOnDiskIsRefused) {
    if (!is_on_disk()) GTEST_SKIP() << "needs a disk";
    const Fd file = file_on_disk();
    expect_refused(file.get(), "a file on disk");
    ASSERT_EQ(::unlink((m_path + "/file").c_str()), 0);
    expect_refused(file.get(), "a deleted file on disk");
    EXPECT_EQ(content_of(file.get()), "of the user's choice");
}

// It is in memory, and others may have it open.
TEST_F(ShimState, AFileWithANameIsRefused) {
    struct statfs system{};
    if (::statfs("/dev/shm", &system) != 0 || system.f_type != TMPFS_MAGIC)
        GTEST_SKIP() << "needs a tmpfs at /dev/shm";
    std::string path = "/dev/shm/ckpt-state-XXXXXX";
    const Fd file(::mkostemp(path.data(), O_CLOEXEC));
    ASSERT_TRUE(file);
    expect_refused(file.get(), "a file on a tmpfs");
    ::unlink(path.c_str());
}

TEST_F(ShimState, OneThatCannotBeReadFails) {
    const Fd state = memory("content");
    const std::string own = "/proc/self/fd/" + std::to_string(state.get());
    const Fd write_only(::open(own.c_str(), O_WRONLY | O_CLOEXEC));
    const Fd path_only(::open(own.c_str(), O_PATH | O_CLOEXEC));
    ASSERT_TRUE(write_only && path_only);
    EXPECT_FALSE(save_shim_state(write_only.get(), m_images.get()));
    EXPECT_FALSE(save_shim_state(path_only.get(), m_images.get()));
    EXPECT_FALSE(std::filesystem::exists(m_path + "/shim-state"));
}

} // namespace

} // namespace ckpt
