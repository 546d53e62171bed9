// SPDX-License-Identifier: GPL-2.0-or-later
// What volume.hpp promises, of a directory and of one that another process serves.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>

#include "memory_volume.hpp"
#include "volume/local_volume.hpp"
#include "volume_testbed.hpp"

namespace ckpt::store::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Fd open_path(const fs::path& dir) {
    return Fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class VolumeTest : public ::testing::TestWithParam<const char*> {
protected:
    VolumeTest() {
        std::string pattern = ::testing::TempDir() + "/ckpt-volume-XXXXXX";
        m_root = ::mkdtemp(pattern.data());
        m_path = m_root / "base";
        fs::create_directory(m_path);
        if (std::string_view(GetParam()) == "local") {
            m_volume = std::make_unique<LocalVolume>(open_path(m_path), m_path);
            return;
        }
        m_peer.emplace([path = m_path](int socket) {
            LocalVolume served(open_path(path), path);
            EXPECT_TRUE(serve_volume(socket, served));
        });
        auto volume = RemoteVolume::connect(m_peer->take());
        EXPECT_TRUE(volume) << one_line(volume.error());
        if (volume) m_volume = std::move(*volume);
    }
    ~VolumeTest() override {
        m_volume.reset();
        m_peer.reset();
        std::error_code ignored;
        fs::remove_all(m_root, ignored);
    }
    VolumeTest(const VolumeTest&) = delete;
    VolumeTest& operator=(const VolumeTest&) = delete;
    VolumeTest(VolumeTest&&) = delete;
    VolumeTest& operator=(VolumeTest&&) = delete;

    void must_write(const std::string& path, std::string_view bytes) {
        auto file = m_volume->create(path);
        ASSERT_TRUE(file) << one_line(file.error());
        ASSERT_TRUE((*file)->write(bytes));
        ASSERT_TRUE((*file)->finish());
    }
    [[nodiscard]] std::string on_disk(const std::string& path) const {
        std::ifstream in(m_path / path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void expect_missing(const auto& result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Code::not_found);
        EXPECT_EQ(result.error().errnum, ENOENT);
    }

    fs::path m_root;
    fs::path m_path;
    std::optional<Peer> m_peer;
    std::unique_ptr<Volume> m_volume;
};

TEST_P(VolumeTest, ItsNameIsForMessages) {
    EXPECT_EQ(m_volume->name(), m_path.string());
}

TEST_P(VolumeTest, WhatIsWrittenComesBack) {
    std::string bytes(std::size_t{5} << 20U, '\0');
    for (std::size_t at = 0; at < bytes.size(); at += 1000)
        bytes[at] = static_cast<char>(at / 1000);
    auto file = m_volume->create("file");
    ASSERT_TRUE(file) << one_line(file.error());
    const std::string_view all = bytes;
    for (const auto& [from, size] :
         {std::pair<std::size_t, std::size_t>{0, 1}, {1, 0}, {1, 99}, {100, all.size()}})
        ASSERT_TRUE((*file)->write(all.substr(from, size)));
    ASSERT_TRUE((*file)->finish());
    EXPECT_TRUE(on_disk("file") == bytes);
    EXPECT_TRUE(m_volume->read("file", bytes.size()).value() == bytes);

    const auto old = m_volume->open("file");
    ASSERT_TRUE(old) << one_line(old.error());
    EXPECT_EQ((*old)->size(), bytes.size());
    std::string part(3U << 20U, 'x');
    EXPECT_EQ((*old)->read_at(12345, part), part.size());
    EXPECT_TRUE(part == bytes.substr(12345, part.size()));
    EXPECT_EQ((*old)->read_at(bytes.size() - 10, part), 10U);
    EXPECT_EQ(part.substr(0, 10), bytes.substr(bytes.size() - 10));
    EXPECT_EQ((*old)->read_at(bytes.size() + 10, part), 0U);
}

TEST_P(VolumeTest, TwoFilesAtOnce) {
    auto one = m_volume->create("one");
    auto two = m_volume->create("two");
    ASSERT_TRUE(one && two);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE((*one)->write("1"));
        ASSERT_TRUE((*two)->write("22"));
    }
    ASSERT_TRUE((*two)->finish());
    const auto read = m_volume->open("two");
    ASSERT_TRUE(read);
    ASSERT_TRUE((*one)->write("1"));
    std::string got(200, 'x');
    EXPECT_EQ((*read)->read_at(0, got), 200U);
    EXPECT_EQ(got, std::string(200, '2'));
    ASSERT_TRUE((*one)->finish());
    EXPECT_EQ(on_disk("one"), std::string(101, '1'));
}

TEST_P(VolumeTest, AnEmptyFile) {
    must_write("empty", "");
    EXPECT_EQ(m_volume->read("empty", 0).value(), "");
    EXPECT_EQ((*m_volume->open("empty"))->size(), 0U);
}

TEST_P(VolumeTest, WhatWasNotFinishedStaysAsFarAsItWasWritten) {
    {
        auto file = m_volume->create("half");
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write("half"));
    }
    EXPECT_EQ(m_volume->read("half", 100).value(), "half");
}

TEST_P(VolumeTest, FilesThatWereClosedAreClosed) {
    for (int i = 0; i < 1500; ++i) { // more than a process may have open
        {
            const auto file = m_volume->create("file");
            ASSERT_TRUE(file) << i;
        }
        ASSERT_TRUE(m_volume->open("file")) << i;
        ASSERT_TRUE(m_volume->remove("file"));
        must_write("file", "x");
        ASSERT_TRUE(m_volume->remove("file"));
    }
}

TEST_P(VolumeTest, ANewFileTakesNobodysPlace) {
    must_write("file", "old");
    fs::create_directory(m_path / "dir");
    fs::create_symlink("file", m_path / "link");
    fs::create_symlink("nowhere", m_path / "dangling");
    for (const char* name : {"file", "dir", "link", "dangling"}) {
        const auto file = m_volume->create(name);
        ASSERT_FALSE(file) << name;
        EXPECT_NE(file.error().errnum, 0) << name;
    }
    EXPECT_EQ(on_disk("file"), "old");
    EXPECT_FALSE(fs::exists(m_path / "nowhere"));
}

TEST_P(VolumeTest, OnlyTheUserMayReadWhatIsThere) {
    const mode_t old = ::umask(0);
    must_write("file", "x");
    ASSERT_TRUE(m_volume->make_dir("dir"));
    ::umask(old);
    struct stat st{};
    ASSERT_EQ(::stat((m_path / "file").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0600U);
    ASSERT_EQ(::stat((m_path / "dir").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0700U);
}

TEST_P(VolumeTest, ListingsAreSorted) {
    for (const char* name : {"b", "a", "c", ".hidden"})
        must_write(name, "");
    ASSERT_TRUE(m_volume->make_dir("dir"));
    EXPECT_THAT(m_volume->list("").value(), ElementsAre(".hidden", "a", "b", "c", "dir"));
    EXPECT_THAT(m_volume->list("dir").value(), IsEmpty());
    EXPECT_FALSE(m_volume->list("a")) << "a file";
}

TEST_P(VolumeTest, DirectoriesBelowDirectories) {
    std::string path = "1";
    for (int depth = 1; depth <= 7; ++depth) {
        ASSERT_TRUE(m_volume->make_dir(path));
        ASSERT_TRUE(m_volume->make_dir(path)) << "it is there already";
        path += "/x";
    }
    must_write(path, "deep");
    EXPECT_EQ(m_volume->read(path, 4).value(), "deep");
    must_write("file", "");
    EXPECT_FALSE(m_volume->make_dir("file")) << "a file in its place";
}

TEST_P(VolumeTest, WhatIsMissingIsNotFound) {
    expect_missing(m_volume->list("none"));
    expect_missing(m_volume->open("none"));
    expect_missing(m_volume->read("none", 10));
    expect_missing(m_volume->create("none/file"));
    expect_missing(m_volume->make_dir("none/dir"));
    expect_missing(m_volume->rename("none", "other"));
    expect_missing(m_volume->sync("none"));
    EXPECT_TRUE(m_volume->remove("none"));
    EXPECT_TRUE(m_volume->remove("none/below"));
}

TEST_P(VolumeTest, NoMoreIsReadThanWasAskedFor) {
    must_write("file", "12345");
    EXPECT_EQ(m_volume->read("file", 5).value(), "12345");
    const auto more = m_volume->read("file", 4);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, Code::os);
    ASSERT_EQ(::truncate((m_path / "file").c_str(), off_t{1} << 42U), 0);
    EXPECT_FALSE(m_volume->read("file", std::size_t{1} << 20U));
    EXPECT_EQ((*m_volume->open("file"))->size(), std::uint64_t{1} << 42U);
}

TEST_P(VolumeTest, RenameReplacesAFileAndNoDirectory) {
    must_write("new", "new");
    must_write("old", "old");
    ASSERT_TRUE(m_volume->rename("new", "old"));
    EXPECT_EQ(on_disk("old"), "new");
    EXPECT_FALSE(fs::exists(m_path / "new"));
    ASSERT_TRUE(m_volume->make_dir("dir"));
    must_write("dir/file", "inside");
    EXPECT_FALSE(m_volume->rename("old", "dir"));
    ASSERT_TRUE(m_volume->make_dir("other"));
    EXPECT_FALSE(m_volume->rename("other", "dir"));
    ASSERT_TRUE(m_volume->rename("dir", "other/moved"));
    EXPECT_EQ(on_disk("other/moved/file"), "inside");
    EXPECT_TRUE(m_volume->sync("other"));
    EXPECT_TRUE(m_volume->sync(""));
}

TEST_P(VolumeTest, RemoveTakesEverythingBelowAndNothingElse) {
    fs::create_directory(m_root / "outside");
    std::ofstream(m_root / "outside" / "file") << "stays";
    fs::create_directories(m_path / "dir" / "sub");
    std::ofstream(m_path / "dir" / "sub" / "file") << "goes";
    fs::create_symlink(m_root / "outside", m_path / "dir" / "link");
    ASSERT_TRUE(m_volume->remove("dir"));
    EXPECT_TRUE(fs::is_empty(m_path));
    EXPECT_TRUE(fs::exists(m_root / "outside" / "file"));
    fs::create_symlink(m_root / "outside", m_path / "link");
    ASSERT_TRUE(m_volume->remove("link"));
    EXPECT_TRUE(fs::exists(m_root / "outside" / "file"));
}

TEST_P(VolumeTest, NothingFollowsLinks) {
    fs::create_directory(m_root / "outside");
    std::ofstream(m_root / "outside" / "file") << "secret";
    fs::create_symlink(m_root / "outside", m_path / "dir");
    fs::create_symlink(m_root / "outside" / "file", m_path / "file");
    fs::create_directory(m_path / "inside");
    fs::create_symlink("inside", m_path / "local");
    for (const char* dir : {"dir", "local"}) {
        const std::string below = std::string(dir) + "/new";
        EXPECT_FALSE(m_volume->list(dir));
        EXPECT_FALSE(m_volume->create(below));
        EXPECT_FALSE(m_volume->make_dir(below));
        EXPECT_FALSE(m_volume->sync(dir));
        EXPECT_FALSE(m_volume->make_dir(dir));
    }
    EXPECT_FALSE(m_volume->open("dir/file"));
    EXPECT_FALSE(m_volume->read("dir/file", 100));
    EXPECT_FALSE(m_volume->open("file"));
    EXPECT_FALSE(m_volume->read("file", 100));
    EXPECT_FALSE(m_volume->remove("dir/file"));
    must_write("mine", "x");
    EXPECT_FALSE(m_volume->rename("mine", "dir/file"));
    std::ifstream in(m_root / "outside" / "file");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "secret");
}

TEST_P(VolumeTest, WhatIsNoFileNeitherHangsNorIsRead) {
    ASSERT_EQ(::mkfifo((m_path / "fifo").c_str(), 0600), 0);
    ASSERT_EQ(::mknod((m_path / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
    fs::create_directory(m_path / "dir");
    for (const char* name : {"fifo", "socket", "dir"}) {
        EXPECT_FALSE(m_volume->open(name)) << name;
        EXPECT_FALSE(m_volume->read(name, 100)) << name;
    }
    const auto fifo = m_volume->open("fifo");
    EXPECT_EQ(fifo.error().code, Code::store_corrupt);
}

TEST_P(VolumeTest, PathsStayInside) {
    std::ofstream(m_root / "file") << "outside";
    fs::create_directory(m_path / "dir");
    const std::string absolute = m_root / "file";
    for (const std::string& path : {std::string("../file"), absolute, std::string("dir/../../file"),
                                    std::string(".."), std::string("dir/.."), std::string("."),
                                    std::string("dir/"), std::string(300, 'x'), std::string("a\0b", 3)}) {
        EXPECT_FALSE(m_volume->open(path)) << path;
        EXPECT_FALSE(m_volume->read(path, 100)) << path;
        EXPECT_FALSE(m_volume->create(path)) << path;
        EXPECT_FALSE(m_volume->make_dir(path)) << path;
        EXPECT_FALSE(m_volume->rename("dir", path)) << path;
        EXPECT_FALSE(m_volume->remove(path)) << path;
    }
    for (const char* dir : {"..", "dir/../..", "/", "/tmp"}) {
        EXPECT_FALSE(m_volume->list(dir)) << dir;
        EXPECT_FALSE(m_volume->sync(dir)) << dir;
    }
    EXPECT_FALSE(m_volume->remove("")) << "the directory itself";
    EXPECT_TRUE(fs::exists(m_root / "file"));
    EXPECT_TRUE(fs::exists(m_path / "dir"));
}

TEST_P(VolumeTest, SpaceIsThatOfTheFileSystem) {
    const auto space = m_volume->space();
    ASSERT_TRUE(space);
    EXPECT_GT(space->total, 0U);
    EXPECT_LE(space->free, space->total);
}

TEST_P(VolumeTest, UsageIsWhatLiesOnDisk) {
    ASSERT_TRUE(m_volume->make_dir("a"));
    ASSERT_TRUE(m_volume->make_dir("a/b"));
    const auto before = std::time(nullptr);
    must_write("a/b/file", std::string(300000, 'x'));
    fs::resize_file(m_path / "a/b/file", 100U << 20U); // mostly a hole
    fs::create_symlink("/usr", m_path / "a/link");     // not followed
    const auto usage = m_volume->usage("a");
    ASSERT_TRUE(usage) << one_line(usage.error());
    EXPECT_GE(usage->bytes, 300000U);
    EXPECT_LT(usage->bytes, 10U << 20U);
    EXPECT_GE(usage->newest, before - 1); // the kernel's clock is coarse
    EXPECT_LE(usage->newest, std::time(nullptr));
    const auto missing = m_volume->usage("a/c");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::not_found);
}

// Ten millions of names must not take the memory of whoever lists them.
TEST_P(VolumeTest, ADirectoryWithTooManyNamesIsRefusedAndCanBeRemoved) {
    fs::create_directory(m_path / "many");
    const Fd many = open_path(m_path / "many");
    const std::string stem(240, 'n');
    constexpr std::size_t k_count = k_names_max / 250 + 1;
    for (std::size_t i = 0; i < k_count; ++i)
        ASSERT_EQ(::mknodat(many.get(), (stem + std::to_string(100000 + i)).c_str(), S_IFREG | 0600, 0), 0);
    const auto names = m_volume->list("many");
    ASSERT_FALSE(names);
    EXPECT_EQ(names.error().code, Code::os);
    EXPECT_EQ(names.error().errnum, EFBIG);
    EXPECT_THAT(names.error().what, HasSubstr("12 MiB"));
    EXPECT_THAT(names.error().hint, HasSubstr("many"));
    EXPECT_TRUE(m_volume->usage("many"));
    EXPECT_TRUE(m_volume->remove("many"));
    EXPECT_FALSE(fs::exists(m_path / "many"));
}

TEST_P(VolumeTest, DirectoriesAsDeepAsUsersMakeThem) {
    fs::create_directory(m_path / "deep");
    Fd at = open_path(m_path / "deep");
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
        at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ASSERT_TRUE(at);
    }
    EXPECT_TRUE(m_volume->usage("deep"));
    EXPECT_TRUE(m_volume->list("deep"));
    const auto removed = m_volume->remove("deep");
    EXPECT_TRUE(removed) << one_line(removed.error());
    EXPECT_TRUE(fs::is_empty(m_path));
}

INSTANTIATE_TEST_SUITE_P(Both, VolumeTest, ::testing::Values("local", "remote"),
                         [](const auto& kind) { return std::string(kind.param); });

} // namespace
} // namespace ckpt::store::test
