// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
//
// What the kernel knows by number: the files of the backing directory that it has looked up and not
// forgotten.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "caller.hpp"
#include "fuse.hpp"

namespace rootsquash {

class Fd {
public:
    explicit Fd(int fd = -1) : m_fd(fd) {}
    ~Fd() {
        if (m_fd >= 0) ::close(m_fd);
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    Fd(Fd&& other) noexcept : m_fd(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(m_fd, other.m_fd);
        return *this;
    }
    explicit operator bool() const { return m_fd >= 0; }
    [[nodiscard]] int get() const { return m_fd; }
    int release() { return std::exchange(m_fd, -1); }

private:
    int m_fd;
};

// An open file that was unlinked and has got another name until it is closed.
struct Unlinked {
    Fd directory;
    std::string name;
    Caller by;
};

struct Inode {
    Fd path;                 // O_PATH; keeps the number from being used again
    std::uint64_t known = 0; // how often the kernel was told of it
    unsigned opens = 0;
    std::optional<Unlinked> unlinked;

    // For system calls that take no O_PATH descriptor.
    [[nodiscard]] std::string link() const { return "/proc/self/fd/" + std::to_string(path.get()); }
};

class Inodes {
public:
    explicit Inodes(Fd root, bool silly_rename);

    [[nodiscard]] bool silly_rename() const { return m_silly_rename; }
    Inode& at(fuse_ino_t number);
    // The file NAME in the directory, as the thread's file-system ids may see it; 0 or errno.
    int look_up(fuse_ino_t directory, const char* name, fuse_entry_param& entry);
    // One that the kernel knows already; nullptr.
    Inode* find(const struct stat& file);
    void forget(fuse_ino_t number, std::uint64_t times);
    // Removes what was unlinked while it was open, when nobody has it open any more.
    static void closed(Inode& inode);

private:
    using Key = std::pair<dev_t, ino_t>;

    bool m_silly_rename;
    Inode m_root;
    std::map<Key, std::unique_ptr<Inode>> m_all;
};

// The one that the session was made with.
Inodes& inodes(fuse_req_t request);

void add_name_operations(fuse_lowlevel_ops& operations);    // names.cpp
void add_content_operations(fuse_lowlevel_ops& operations); // contents.cpp

} // namespace rootsquash
