// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/placing.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

using Kind = LocalFile::Kind;
using What = LocalNow::What;

namespace {

std::string base_name(const LocalFile& file) {
    return file.path.substr(file.path.rfind('/') + 1);
}

bool is_kind(mode_t mode, Kind kind) {
    switch (kind) {
    case Kind::absent:
    case Kind::file:
        return S_ISREG(mode);
    case Kind::directory:
        return S_ISDIR(mode);
    case Kind::fifo:
        return S_ISFIFO(mode);
    }
    return false;
}

} // namespace

Result<Fd> open_parent(const LocalFile& file) {
    const std::string& root = file.root.empty() ? std::string("/") : file.root;
    Fd dir(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + root);
    std::istringstream parts(file.path);
    for (std::string part; std::getline(parts, part, '/') && !parts.eof();) {
        CKPT_TRY(dir, open_beneath(dir.get(), part, O_PATH | O_DIRECTORY));
        struct stat st{};
        if (::fstat(dir.get(), &st) != 0) return fail_errno(Code::os, "look at " + file.full_path());
        if (st.st_uid != ::geteuid() && st.st_uid != 0) return fail(Code::not_permitted, file.full_path());
    }
    return dir;
}

Result<LocalNow> look_at(const LocalFile& file) {
    const auto parent = open_parent(file);
    if (!parent && parent.error().code == Code::not_found) return LocalNow{};
    if (!parent && parent.error().code == Code::not_permitted) return LocalNow{What::foreign, 0, 0, 0, 0};
    if (!parent) return tl::unexpected(parent.error());
    struct stat st{};
    if (::fstatat(parent->get(), base_name(file).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return LocalNow{};
        return fail_errno(Code::os, "look at " + file.full_path());
    }
    LocalNow now{What::same_kind, st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size),
                 std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec};
    if (!is_kind(st.st_mode, file.kind))
        now.what = What::other_kind;
    else if (st.st_uid != ::geteuid() && (!S_ISDIR(st.st_mode) || st.st_uid != 0))
        now.what = What::foreign;
    return now;
}

namespace {

Status write_copy(int parent, const LocalFile& file, const std::string& name, int images) {
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    CKPT_TRY(const Fd copy, open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (const auto copied = copy_whole(content.get(), copy.get(), file.size); !copied)
        return tl::unexpected(copied.error());
    const timespec mtime{file.mtime_ns / 1'000'000'000, file.mtime_ns % 1'000'000'000};
    const std::array times = {timespec{0, UTIME_OMIT}, mtime};
    if (::fchmod(copy.get(), file.mode) != 0 || ::futimens(copy.get(), times.data()) != 0)
        return fail_errno(Code::os, "set the mode and time of a copy");
    return {};
}

// Network file systems know neither way of renameat2(2): EINVAL.
int move_in(int parent, const std::string& aside, const std::string& name) {
    if (::renameat2(parent, aside.c_str(), parent, name.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL || ::linkat(parent, aside.c_str(), parent, name.c_str(), 0) != 0) return -1;
    return ::unlinkat(parent, aside.c_str(), 0);
}

int exchange(int parent, const std::string& aside, const std::string& name) {
    if (::renameat2(parent, aside.c_str(), parent, name.c_str(), RENAME_EXCHANGE) == 0) return 0;
    if (errno != EINVAL) return -1;
    const std::string second = aside + "-";
    if (::linkat(parent, name.c_str(), parent, second.c_str(), 0) != 0 ||
        ::renameat(parent, aside.c_str(), parent, name.c_str()) != 0)
        return -1;
    return ::renameat(parent, second.c_str(), parent, aside.c_str());
}

Status make_file(int parent, const LocalFile& file, Placement placement, const std::string& aside,
                 int images) {
    Status made = write_copy(parent, file, aside, images);
    const auto how = placement == Placement::replace ? exchange : move_in;
    if (made && how(parent, aside, base_name(file)) != 0) made = fail_errno(Code::os, "rename a copy");
    if (!made) ::unlinkat(parent, aside.c_str(), 0);
    return made;
}

Status set_mode(int parent, const LocalFile& file) {
    if (::fchmodat(parent, base_name(file).c_str(), file.mode, 0) != 0)
        return fail_errno(Code::os, "set its mode");
    return {};
}

} // namespace

Status make(const LocalFile& file, Placement placement, const std::string& aside, int images) {
    CKPT_TRY(const Fd parent, open_parent(file));
    const std::string name = base_name(file);
    if (placement == Placement::remove) {
        if (::renameat(parent.get(), name.c_str(), parent.get(), aside.c_str()) != 0)
            return fail_errno(Code::os, "set it aside");
        return {};
    }
    if (file.kind == Kind::file) return make_file(parent.get(), file, placement, aside, images);
    const int made = file.kind == Kind::directory ? ::mkdirat(parent.get(), name.c_str(), S_IRWXU)
                                                  : ::mkfifoat(parent.get(), name.c_str(), S_IRUSR | S_IWUSR);
    if (made != 0) return fail_errno(Code::os, "make it");
    return file.kind == Kind::directory ? Status() : set_mode(parent.get(), file);
}

Status finish_directory(const LocalFile& file) {
    CKPT_TRY(const Fd parent, open_parent(file));
    return set_mode(parent.get(), file);
}

namespace {

// criu binds sockets anew in the directories that we have made for them.
void remove_sockets(int parent, const std::string& name) {
    const auto dir = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
    if (!dir) return;
    const auto entries = list_dir(dir->get());
    if (!entries) return;
    for (const std::string& entry : *entries) {
        struct stat st{};
        if (::fstatat(dir->get(), entry.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
            ::unlinkat(dir->get(), entry.c_str(), 0);
    }
}

} // namespace

void open_up(const LocalFile& file) {
    if (file.kind != Kind::directory) return;
    if (const auto parent = open_parent(file))
        (void)!::fchmodat(parent->get(), base_name(file).c_str(), S_IRWXU, 0);
}

void unmake(const LocalFile& file, Placement placement, const std::string& aside) {
    const auto parent = open_parent(file);
    if (!parent) return;
    const std::string name = base_name(file);
    if (placement == Placement::create && file.kind == Kind::directory) remove_sockets(parent->get(), name);
    if (placement == Placement::create)
        ::unlinkat(parent->get(), name.c_str(), file.kind == Kind::directory ? AT_REMOVEDIR : 0);
    // What was there lies aside, and is the only copy of it.
    if (placement == Placement::replace || placement == Placement::remove)
        (void)::renameat(parent->get(), aside.c_str(), parent->get(), name.c_str());
}

void remove_aside(const LocalFile& file, const std::string& aside) {
    const auto parent = open_parent(file);
    if (parent) ::unlinkat(parent->get(), aside.c_str(), 0);
}

Result<std::uint64_t> keep_aside(const LocalFile& file, const std::string& aside, int tail,
                                 std::uint64_t most) {
    CKPT_TRY(const Fd parent, open_parent(file));
    CKPT_TRY(const Fd displaced, open_beneath(parent.get(), aside, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat st{};
    if (::fstat(displaced.get(), &st) != 0) return fail_errno(Code::os, "look at " + aside);
    const auto size = static_cast<std::uint64_t>(st.st_size);
    const std::uint64_t kept = std::min(size, most);
    if (const auto copied = copy_sparse(displaced.get(), size - kept, tail, kept); !copied)
        return tl::unexpected(copied.error());
    ::unlinkat(parent.get(), aside.c_str(), 0);
    return size - kept;
}

} // namespace ckpt
