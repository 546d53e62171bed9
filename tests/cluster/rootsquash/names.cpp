// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
//
// Operations on names: rights are looked at in each of them, and nothing is cached.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "inodes.hpp"

namespace rootsquash {

namespace {

int directory(fuse_req_t request, fuse_ino_t parent) {
    return inodes(request).at(parent).path.get();
}

void reply_entry(fuse_req_t request, fuse_ino_t parent, const char* name) {
    fuse_entry_param entry{};
    if (const int error = inodes(request).look_up(parent, name, entry))
        ::fuse_reply_err(request, error);
    else
        ::fuse_reply_entry(request, &entry);
}

// After a call that makes NAME.
void reply_made(fuse_req_t request, int result, fuse_ino_t parent, const char* name) {
    if (result != 0)
        ::fuse_reply_err(request, errno);
    else
        reply_entry(request, parent, name);
}

void reply_done(fuse_req_t request, int result) {
    ::fuse_reply_err(request, result == 0 ? 0 : errno);
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
    const Acting as(request);
    reply_entry(request, parent, name);
}

void make_node(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
    const Acting as(request);
    reply_made(request, ::mknodat(directory(request, parent), name, mode, device), parent, name);
}

void make_directory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
    const Acting as(request);
    reply_made(request, ::mkdirat(directory(request, parent), name, mode), parent, name);
}

void make_symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
    const Acting as(request);
    reply_made(request, ::symlinkat(target, directory(request, parent), name), parent, name);
}

void make_link(fuse_req_t request, fuse_ino_t file, fuse_ino_t parent, const char* name) {
    const Acting as(request);
    const std::string from = inodes(request).at(file).link();
    reply_made(request, ::linkat(AT_FDCWD, from.c_str(), directory(request, parent), name, AT_SYMLINK_FOLLOW),
               parent, name);
}

void read_link(fuse_req_t request, fuse_ino_t file) {
    std::array<char, PATH_MAX + 1> target{};
    if (::readlinkat(inodes(request).at(file).path.get(), "", target.data(), PATH_MAX) < 0)
        ::fuse_reply_err(request, errno);
    else
        ::fuse_reply_readlink(request, target.data());
}

// An NFS client keeps an open file that is unlinked, or replaced, under another name until it is closed
// (kernel fs/nfs/unlink.c:nfs_sillyrename). Here, too, /proc shows it with a link count of 1; but its old
// name with "(deleted)", where NFS has the new one. 0: it was done, and the name is free. ENOENT: there is
// nothing to do.
int keep_open_file(fuse_req_t request, fuse_ino_t parent, const char* name) {
    static unsigned counter = 0;
    const int dir = directory(request, parent);
    struct stat file{};
    if (!inodes(request).silly_rename() || ::fstatat(dir, name, &file, AT_SYMLINK_NOFOLLOW) != 0)
        return ENOENT;
    Inode* inode = inodes(request).find(file);
    if (inode == nullptr || inode->opens == 0 || file.st_nlink > 1) return ENOENT;
    if (inode->unlinked) return EBUSY; // nobody else is to remove that name
    std::array<char, 64> kept{};
    (void)std::snprintf(kept.data(), kept.size(), ".nfs%016lx%08x", static_cast<unsigned long>(file.st_ino),
                        ++counter);
    Fd keep(::openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!keep || ::renameat2(dir, name, dir, kept.data(), RENAME_NOREPLACE) != 0) return errno;
    inode->unlinked = Unlinked{std::move(keep), kept.data(), caller_of(request)};
    return 0;
}

void unlink_file(fuse_req_t request, fuse_ino_t parent, const char* name) {
    const Acting as(request);
    const int kept = keep_open_file(request, parent, name);
    if (kept != ENOENT)
        ::fuse_reply_err(request, kept);
    else
        reply_done(request, ::unlinkat(directory(request, parent), name, 0));
}

void remove_directory(fuse_req_t request, fuse_ino_t parent, const char* name) {
    const Acting as(request);
    reply_done(request, ::unlinkat(directory(request, parent), name, AT_REMOVEDIR));
}

// Flags such as RENAME_EXCHANGE are not known to NFS (fs/nfs/dir.c:nfs_rename).
void rename_file(fuse_req_t request, fuse_ino_t from, const char* name, fuse_ino_t to, const char* new_name,
                 unsigned flags) {
    const Acting as(request);
    if (flags != 0) {
        ::fuse_reply_err(request, EINVAL);
        return;
    }
    if (const int kept = keep_open_file(request, to, new_name); kept != 0 && kept != ENOENT) {
        ::fuse_reply_err(request, kept);
        return;
    }
    reply_done(request, ::renameat(directory(request, from), name, directory(request, to), new_name));
}

void forget(fuse_req_t request, fuse_ino_t file, std::uint64_t times) {
    inodes(request).forget(file, times);
    ::fuse_reply_none(request);
}

} // namespace

void add_name_operations(fuse_lowlevel_ops& operations) {
    operations.lookup = look_up;
    operations.forget = forget;
    operations.mknod = make_node;
    operations.mkdir = make_directory;
    operations.symlink = make_symlink;
    operations.link = make_link;
    operations.readlink = read_link;
    operations.unlink = unlink_file;
    operations.rmdir = remove_directory;
    operations.rename = rename_file;
}

} // namespace rootsquash
