// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/placing.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "engine/rewrite.hpp"
#include "engine/tails.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

using Kind = LocalFile::Kind;
using What = LocalNow::What;

namespace {

constexpr mode_t k_permissions = 07777;

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
    auto root = open_way_to(file.root, file.directory);
    if (!root && root.error().code == Code::not_permitted) root.error().code = Code::rollback_refused;
    if (!root) return root;
    Fd dir = std::move(*root);
    std::string path = file.root;
    std::istringstream parts(file.path);
    for (std::string part; std::getline(parts, part, '/') && !parts.eof();) {
        path += "/" + part;
        auto next = open_beneath(dir.get(), part, O_PATH | O_DIRECTORY);
        if (!next && (next.error().errnum == ELOOP || next.error().errnum == ENOTDIR))
            return fail(Code::restore_failed, path + ", a directory at the checkpoint, is none now",
                        "remove it, or have its owner or an admin do so, or have the job restored on another "
                        "node");
        if (!next) return next;
        dir = std::move(*next);
        struct stat st{};
        if (::fstat(dir.get(), &st) != 0) return fail_errno(Code::os, "look at " + file.full_path());
        if (st.st_uid != ::geteuid() && st.st_uid != 0) return fail(Code::not_permitted, file.full_path());
    }
    return dir;
}

Result<LocalNow> look_at(const LocalFile& file) {
    const auto parent = open_parent(file);
    if (!parent && parent.error().code == Code::not_found) return LocalNow{};
    if (!parent && parent.error().code == Code::not_permitted) return LocalNow{What::foreign};
    if (!parent) return tl::unexpected(parent.error());
    struct stat st{};
    if (::fstatat(parent->get(), base_name(file).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return LocalNow{};
        return fail_errno(Code::os, "look at " + file.full_path());
    }
    LocalNow now{What::same_kind,
                 st.st_dev,
                 st.st_ino,
                 static_cast<std::uint64_t>(st.st_size),
                 std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec,
                 birth_ns(parent->get(), base_name(file))};
    if (!is_kind(st.st_mode, file.kind))
        now.what = What::other_kind;
    else if (st.st_uid != ::geteuid() && (!S_ISDIR(st.st_mode) || st.st_uid != 0))
        now.what = What::foreign;
    return now;
}

namespace {

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Status write_copy(int parent, const LocalFile& file, const std::string& name, int images, bool shared) {
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    CKPT_TRY(const Fd copy, open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (const auto copied = copy_whole(content.get(), copy.get(), file.size); !copied)
        return tl::unexpected(copied.error());
    if (shared) CKPT_CHECK(sync_fd(copy.get(), name));
    const timespec mtime{file.mtime_ns / 1'000'000'000, file.mtime_ns % 1'000'000'000};
    const std::array times = {timespec{0, UTIME_OMIT}, mtime};
    if (::fchmod(copy.get(), file.mode) != 0 || ::futimens(copy.get(), times.data()) != 0)
        return fail_errno(Code::os, "set the mode and time of a copy");
    return {};
}

// Network file systems know neither way of renameat2(2): EINVAL. Some others have no hard links.
Status move_in(int parent, const std::string& from, const std::string& name) {
    if (::renameat2(parent, from.c_str(), parent, name.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
        if (::linkat(parent, from.c_str(), parent, name.c_str(), 0) == 0) {
            ::unlinkat(parent, from.c_str(), 0);
            return {};
        }
    }
    if (errno == EEXIST)
        return fail(Code::rollback_refused, name + " has been made by somebody else meanwhile");
    return fail_errno(Code::os, "rename a copy");
}

// Without the exchange of renameat2(2), which network file systems do not have: what is there gets a second
// name, where there are hard links, and so its own is never missing.
Status displace(int parent, const std::string& name, const std::string& helper) {
    const std::string old = helper + ".old";
    const std::string fresh = helper + ".new";
    if (::linkat(parent, name.c_str(), parent, old.c_str(), 0) != 0 &&
        ::renameat(parent, name.c_str(), parent, old.c_str()) != 0)
        return fail_errno(Code::os, "set it aside");
    if (::renameat(parent, fresh.c_str(), parent, name.c_str()) != 0)
        return fail_errno(Code::os, "rename a copy");
    return {};
}

// Right before it is touched.
Status check_unchanged(int parent, const LocalFile& file, const UndoEntry& entry) {
    struct stat st{};
    const bool same = ::fstatat(parent, entry.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                      st.st_ino == entry.was.inode &&
                      static_cast<std::uint64_t>(st.st_size) == entry.was.size &&
                      nanoseconds(st.st_mtim) == entry.was.mtime_ns;
    if (same) return {};
    return fail(Code::rollback_refused, file.full_path() + " was changed by somebody else during the restore",
                "have the job restored again when nobody else writes to it");
}

// A directory or FIFO of the user's. Where others may write to the parent too, its name may be a link by now
// to anything that is the user's.
Status set_mode(int parent, const LocalFile& file, mode_t mode) {
    const std::string name = base_name(file);
    const int only = file.kind == Kind::directory ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY;
    auto opened = open_beneath(parent, name, O_RDONLY | O_NOFOLLOW | only);
    if (!opened && opened.error().errnum == EACCES) { // it forbids reading: glibc follows no link either
        if (::fchmodat(parent, name.c_str(), mode, AT_SYMLINK_NOFOLLOW) == 0) return {};
        return fail_errno(Code::os, "set its mode");
    }
    if (!opened) return tl::unexpected(opened.error());
    struct stat st{};
    if (::fstat(opened->get(), &st) != 0) return fail_errno(Code::os, "look at it");
    if (st.st_uid != ::geteuid() || !is_kind(st.st_mode, file.kind))
        return fail(Code::rollback_refused, file.full_path() + " has been exchanged by somebody else");
    if (::fchmod(opened->get(), mode) != 0) return fail_errno(Code::os, "set its mode");
    return {};
}

} // namespace

Status make_new(const LocalFile& file, int images) {
    CKPT_TRY(const Fd parent, open_parent(file));
    const std::string name = base_name(file);
    if (file.kind == Kind::file) return write_copy(parent.get(), file, name, images, false);
    const int made = file.kind == Kind::directory ? ::mkdirat(parent.get(), name.c_str(), S_IRWXU)
                                                  : ::mkfifoat(parent.get(), name.c_str(), S_IRUSR | S_IWUSR);
    if (made != 0) return fail_errno(Code::os, "make it");
    return file.kind == Kind::directory ? Status() : set_mode(parent.get(), file, file.mode);
}

Status finish_directory(const LocalFile& file) {
    CKPT_TRY(const Fd parent, open_parent(file));
    return set_mode(parent.get(), file, file.mode);
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
    if (const auto parent = open_parent(file)) (void)set_mode(parent->get(), file, S_IRWXU);
}

std::uint32_t open_up_existing(const LocalFile& file) {
    const auto parent = open_parent(file);
    if (!parent) return 0;
    const auto dir = open_beneath(parent->get(), base_name(file), O_RDONLY | O_DIRECTORY);
    struct stat st{};
    if (!dir || ::fstat(dir->get(), &st) != 0 || st.st_uid != ::geteuid()) return 0;
    const bool closed = (st.st_mode & (S_IWUSR | S_IXUSR)) != (S_IWUSR | S_IXUSR);
    return closed && ::fchmod(dir->get(), (st.st_mode & k_permissions) | S_IRWXU) == 0
               ? st.st_mode & k_permissions
               : 0;
}

bool is_unfinished(const LocalFile& file) {
    const auto parent = open_parent(file);
    struct stat st{};
    return parent && ::fstatat(parent->get(), base_name(file).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode) && st.st_uid == ::geteuid() && (st.st_mode & k_permissions) == S_IRWXU;
}

void unmake_new(const LocalFile& file) {
    const auto parent = open_parent(file);
    if (!parent) return;
    const std::string name = base_name(file);
    if (file.kind == Kind::directory) remove_sockets(parent->get(), name);
    ::unlinkat(parent->get(), name.c_str(), file.kind == Kind::directory ? AT_REMOVEDIR : 0);
}

namespace {

Status prepare_rewrite(int parent, const LocalFile& file, UndoEntry& entry, int images) {
    CKPT_TRY(const Fd saved,
             open_beneath(parent, entry.helper + ".saved", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    CKPT_TRY(const std::uint64_t room, room_for_tails(saved.get()));
    CKPT_TRY(entry.was, save_differences(file, images, saved.get(), room));
    CKPT_CHECK(sync_fd(saved.get(), "what a rewrite writes over"));
    entry.inode = entry.was.inode;
    entry.size = file.size;
    entry.mtime_ns = file.mtime_ns;
    return {};
}

} // namespace

Result<UndoEntry> prepare(const LocalFile& file, Placement placement, const LocalNow& now,
                          const std::string& helper, int images, bool shared) {
    CKPT_TRY(const Fd parent, open_parent(file));
    UndoEntry entry;
    entry.name = base_name(file);
    entry.placement = placement;
    entry.helper = helper;
    if (placement == Placement::rewrite) {
        CKPT_CHECK(prepare_rewrite(parent.get(), file, entry, images));
        return entry;
    }
    if (placement != Placement::create) entry.was = {now.inode, now.size, 0, now.mtime_ns, {}};
    if (placement == Placement::remove) return entry;
    CKPT_CHECK(write_copy(parent.get(), file, helper + ".new", images, shared));
    struct stat st{};
    if (::fstatat(parent.get(), (helper + ".new").c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(Code::os, "look at a copy");
    entry.inode = st.st_ino;
    entry.size = static_cast<std::uint64_t>(st.st_size);
    entry.mtime_ns = nanoseconds(st.st_mtim);
    return entry;
}

Status carry_out(const LocalFile& file, const UndoEntry& entry, int images) {
    CKPT_TRY(const Fd parent, open_parent(file));
    if (entry.placement == Placement::create) return move_in(parent.get(), entry.helper + ".new", entry.name);
    CKPT_CHECK(check_unchanged(parent.get(), file, entry));
    if (entry.placement == Placement::rewrite) return write_differences(file, images, entry.was);
    if (entry.placement == Placement::replace) return displace(parent.get(), entry.name, entry.helper);
    if (::renameat(parent.get(), entry.name.c_str(), parent.get(), (entry.helper + ".old").c_str()) != 0)
        return fail_errno(Code::os, "set it aside");
    return {};
}

} // namespace ckpt
