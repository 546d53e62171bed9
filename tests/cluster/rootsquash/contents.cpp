// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
//
// Operations on files. Rights are looked at when a file is opened; whoever holds its descriptor reads and
// writes. Attributes of a known file are told to everybody.
#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "inodes.hpp"

namespace rootsquash {

namespace {

int descriptor(const fuse_file_info* file) {
    return static_cast<int>(file->fh);
}

DIR* listing(const fuse_file_info* file) {
    return reinterpret_cast<DIR*>(file->fh); // NOLINT: open_directory made it
}

// The kernel turns appending into writing at an offset, and has its own cache for O_DIRECT.
int open_flags(const fuse_file_info* file) {
    return (file->flags & ~(O_NOFOLLOW | O_APPEND | O_DIRECT)) | O_CLOEXEC;
}

void get_attributes(fuse_req_t request, fuse_ino_t number, fuse_file_info* /*file*/) {
    struct stat attributes{};
    if (::fstatat(inodes(request).at(number).path.get(), "", &attributes, AT_EMPTY_PATH) != 0)
        ::fuse_reply_err(request, errno);
    else
        ::fuse_reply_attr(request, &attributes, 0);
}

int set_times(const std::string& path, const struct stat& wanted, int what) {
    std::array times = {timespec{0, UTIME_OMIT}, timespec{0, UTIME_OMIT}};
    if ((what & FUSE_SET_ATTR_ATIME) != 0) times[0] = wanted.st_atim;
    if ((what & FUSE_SET_ATTR_MTIME) != 0) times[1] = wanted.st_mtim;
    if ((what & FUSE_SET_ATTR_ATIME_NOW) != 0) times[0].tv_nsec = UTIME_NOW;
    if ((what & FUSE_SET_ATTR_MTIME_NOW) != 0) times[1].tv_nsec = UTIME_NOW;
    return ::utimensat(AT_FDCWD, path.c_str(), times.data(), 0);
}

int set_all(const std::string& path, const struct stat& wanted, int what, const fuse_file_info* file) {
    if ((what & FUSE_SET_ATTR_MODE) != 0 && ::chmod(path.c_str(), wanted.st_mode) != 0) return -1;
    if ((what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
        const uid_t uid = (what & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : static_cast<uid_t>(-1);
        const gid_t gid = (what & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : static_cast<gid_t>(-1);
        if (::chown(path.c_str(), uid, gid) != 0) return -1;
    }
    if ((what & FUSE_SET_ATTR_SIZE) != 0) {
        const int cut = file != nullptr ? ::ftruncate(descriptor(file), wanted.st_size)
                                        : ::truncate(path.c_str(), wanted.st_size);
        if (cut != 0) return -1;
    }
    constexpr int times =
        FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
    return (what & times) != 0 ? set_times(path, wanted, what) : 0;
}

void set_attributes(fuse_req_t request, fuse_ino_t number, struct stat* wanted, int what,
                    fuse_file_info* file) {
    const Acting as(request);
    if (set_all(inodes(request).at(number).link(), *wanted, what, file) != 0)
        ::fuse_reply_err(request, errno);
    else
        get_attributes(request, number, file);
}

void open_file(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
    const Acting as(request);
    Inode& inode = inodes(request).at(number);
    Fd fd(::open(inode.link().c_str(), open_flags(file)));
    if (!fd) {
        ::fuse_reply_err(request, errno);
        return;
    }
    ++inode.opens;
    file->fh = static_cast<std::uint64_t>(fd.release());
    ::fuse_reply_open(request, file);
}

void create_file(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
    const Acting as(request);
    Inodes& all = inodes(request);
    Fd fd(::openat(all.at(parent).path.get(), name, open_flags(file) | O_CREAT, mode));
    fuse_entry_param entry{};
    const int error = fd ? all.look_up(parent, name, entry) : errno;
    if (error != 0) {
        ::fuse_reply_err(request, error);
        return;
    }
    ++all.at(entry.ino).opens;
    file->fh = static_cast<std::uint64_t>(fd.release());
    ::fuse_reply_create(request, &entry, file);
}

void read_file(fuse_req_t request, fuse_ino_t /*number*/, std::size_t size, off_t offset,
               fuse_file_info* file) {
    std::vector<char> bytes(size);
    const ssize_t count = ::pread(descriptor(file), bytes.data(), size, offset);
    if (count < 0)
        ::fuse_reply_err(request, errno);
    else
        ::fuse_reply_buf(request, bytes.data(), static_cast<std::size_t>(count));
}

void write_file(fuse_req_t request, fuse_ino_t /*number*/, const char* bytes, std::size_t size, off_t offset,
                fuse_file_info* file) {
    const ssize_t count = ::pwrite(descriptor(file), bytes, size, offset);
    if (count < 0)
        ::fuse_reply_err(request, errno);
    else
        ::fuse_reply_write(request, static_cast<std::size_t>(count));
}

void sync_file(fuse_req_t request, fuse_ino_t /*number*/, int /*data_only*/, fuse_file_info* file) {
    ::fuse_reply_err(request, ::fsync(descriptor(file)) == 0 ? 0 : errno);
}

void close_file(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
    ::close(descriptor(file));
    Inodes::closed(inodes(request).at(number));
    ::fuse_reply_err(request, 0);
}

void open_directory(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
    const Acting as(request);
    Fd fd(::openat(inodes(request).at(number).path.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* entries = fd ? ::fdopendir(fd.get()) : nullptr;
    if (entries == nullptr) {
        ::fuse_reply_err(request, errno);
        return;
    }
    (void)fd.release();
    file->fh = reinterpret_cast<std::uint64_t>(entries);
    ::fuse_reply_open(request, file);
}

void read_directory(fuse_req_t request, fuse_ino_t /*number*/, std::size_t size, off_t offset,
                    fuse_file_info* file) {
    std::vector<char> bytes(size);
    std::size_t used = 0;
    ::seekdir(listing(file), offset);
    while (const dirent* entry = ::readdir(listing(file))) {
        struct stat attributes{};
        attributes.st_ino = entry->d_ino;
        attributes.st_mode = static_cast<mode_t>(DTTOIF(entry->d_type));
        const std::size_t more = ::fuse_add_direntry(request, bytes.data() + used, size - used, entry->d_name,
                                                     &attributes, entry->d_off);
        if (more > size - used) break;
        used += more;
    }
    ::fuse_reply_buf(request, bytes.data(), used);
}

void close_directory(fuse_req_t request, fuse_ino_t /*number*/, fuse_file_info* file) {
    ::closedir(listing(file));
    ::fuse_reply_err(request, 0);
}

void get_file_system(fuse_req_t request, fuse_ino_t number) {
    struct statvfs fs{};
    if (::fstatvfs(inodes(request).at(number).path.get(), &fs) != 0)
        ::fuse_reply_err(request, errno);
    else
        ::fuse_reply_statfs(request, &fs);
}

void check_access(fuse_req_t request, fuse_ino_t number, int mask) {
    const Acting as(request);
    const std::string path = inodes(request).at(number).link();
    const long allowed =
        ::syscall(SYS_faccessat2, AT_FDCWD, path.c_str(), mask, AT_EACCESS); // with fsuid, unlike access(2)
    ::fuse_reply_err(request, allowed == 0 ? 0 : errno);
}

} // namespace

void add_content_operations(fuse_lowlevel_ops& operations) {
    operations.getattr = get_attributes;
    operations.setattr = set_attributes;
    operations.open = open_file;
    operations.create = create_file;
    operations.read = read_file;
    operations.write = write_file;
    operations.fsync = sync_file;
    operations.release = close_file;
    operations.opendir = open_directory;
    operations.readdir = read_directory;
    operations.releasedir = close_directory;
    operations.statfs = get_file_system;
    operations.access = check_access;
}

} // namespace rootsquash
