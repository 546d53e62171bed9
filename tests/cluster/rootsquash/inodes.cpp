// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
#include "inodes.hpp"

#include <fcntl.h>

#include <cerrno>

namespace rootsquash {

Inodes::Inodes(Fd root, bool silly_rename) : m_silly_rename(silly_rename) {
    m_root.path = std::move(root);
}

Inode& Inodes::at(fuse_ino_t number) {
    return number == FUSE_ROOT_ID
               ? m_root
               : *reinterpret_cast<Inode*>(number); // NOLINT: the kernel gives back what it was given
}

int Inodes::look_up(fuse_ino_t directory, const char* name, fuse_entry_param& entry) {
    entry = {};
    Fd path(::openat(at(directory).path.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!path || ::fstat(path.get(), &entry.attr) != 0) return errno;
    std::unique_ptr<Inode>& slot = m_all[{entry.attr.st_dev, entry.attr.st_ino}];
    if (!slot) {
        slot = std::make_unique<Inode>();
        slot->path = std::move(path);
    }
    ++slot->known;
    entry.ino = reinterpret_cast<fuse_ino_t>(slot.get());
    return 0;
}

Inode* Inodes::find(const struct stat& file) {
    const auto found = m_all.find({file.st_dev, file.st_ino});
    return found == m_all.end() ? nullptr : found->second.get();
}

void Inodes::forget(fuse_ino_t number, std::uint64_t times) {
    if (number == FUSE_ROOT_ID) return;
    Inode& inode = at(number);
    inode.known -= times;
    struct stat file{};
    if (inode.known == 0 && ::fstat(inode.path.get(), &file) == 0) m_all.erase({file.st_dev, file.st_ino});
}

void Inodes::closed(Inode& inode) {
    if (--inode.opens > 0 || !inode.unlinked) return;
    const Acting as(inode.unlinked->by);
    ::unlinkat(inode.unlinked->directory.get(), inode.unlinked->name.c_str(), 0);
    inode.unlinked.reset();
}

Inodes& inodes(fuse_req_t request) {
    return *static_cast<Inodes*>(::fuse_req_userdata(request));
}

} // namespace rootsquash
