// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <format>
#include <optional>
#include <string>
#include <system_error>

#include "doctor.hpp"

namespace ckpt::cli {

namespace {

constexpr std::uint32_t k_xfs_magic = 0x58465342;
constexpr std::uint32_t k_zfs_magic = 0x2fc12fc1;

std::string local_type(std::uint32_t magic) {
    switch (magic) {
    case EXT4_SUPER_MAGIC:
        return "ext4";
    case k_xfs_magic:
        return "xfs";
    case BTRFS_SUPER_MAGIC:
        return "btrfs";
    case k_zfs_magic:
        return "zfs";
    case F2FS_SUPER_MAGIC:
        return "f2fs";
    case TMPFS_MAGIC:
        return "tmpfs";
    case OVERLAYFS_SUPER_MAGIC:
        return "overlay";
    default:
        return {};
    }
}

bool is_mount_point(const std::string& path, dev_t device) {
    struct stat above{};
    return ::stat((path + "/..").c_str(), &above) == 0 && above.st_dev != device;
}

using Health = Finding::Health;

Finding bad(const StoreFacts& store, const std::string& what, std::string remedy) {
    return {Health::bad, "storage.base", store.path + " " + what, std::move(remedy)};
}

// Root makes users' directories below it, or they do themselves (writer/user_dir.hpp).
std::optional<Finding> judge_rights(const StoreFacts& store) {
    const bool all_may_write = (store.mode & S_IWOTH) != 0;
    const bool is_sticky = (store.mode & S_ISVTX) != 0;
    if (store.uid != 0)
        return bad(store, std::format("belongs to uid {}, who may exchange users' directories", store.uid),
                   "chown root " + store.path);
    if ((all_may_write || (store.mode & S_IWGRP) != 0) && !is_sticky)
        return bad(store, std::format("has mode {:04o}: others may exchange users' directories", store.mode),
                   "chmod 711 " + store.path);
    if ((store.mode & S_IXOTH) == 0)
        return bad(store, std::format("has mode {:04o}: users cannot enter it", store.mode),
                   "chmod 711 " + store.path);
    return std::nullopt;
}

} // namespace

StoreFacts look_at_store(const Policy& policy) {
    StoreFacts store;
    const std::size_t user = policy.storage.base.find("/%u");
    store.path = policy.storage.base.substr(0, user);
    store.users_make_own = user != std::string::npos;
    struct stat st{};
    if (::stat(store.path.c_str(), &st) != 0) {
        store.errnum = errno;
        return store;
    }
    store.is_directory = S_ISDIR(st.st_mode);
    store.uid = st.st_uid;
    store.mode = st.st_mode & 07777U;
    store.is_mount_point = is_mount_point(store.path, st.st_dev);
    struct statvfs flags{};
    store.is_read_only = ::statvfs(store.path.c_str(), &flags) == 0 && (flags.f_flag & ST_RDONLY) != 0;
    struct statfs type{};
    if (::statfs(store.path.c_str(), &type) == 0)
        store.local_type = local_type(static_cast<std::uint32_t>(type.f_type));
    return store;
}

Finding judge_store(const StoreFacts& store) {
    if (store.errnum == ENOENT)
        return bad(store, "is not there", "mount it, or make it: users' own directories are made below it");
    if (store.errnum != 0)
        return bad(store, "cannot be looked at: " + std::generic_category().message(store.errnum),
                   "root has to be able to enter what is above it, or its policy to have %u");
    if (!store.is_directory) return bad(store, "is no directory", "name one that all nodes share");
    if (store.is_read_only) return bad(store, "is mounted read-only", "mount it so that users can write");
    if (!store.users_make_own)
        if (auto found = judge_rights(store)) return *found;
    if (store.is_mount_point && !store.users_make_own)
        return {Health::warning, "storage.base",
                store.path + " is a mount point: with nothing mounted on it, it looks like a store without "
                             "checkpoints, and jobs start over",
                "name a directory below it"};
    if (!store.local_type.empty())
        return {Health::unknown, "storage.base",
                store.path + " is " + store.local_type + ", as disks of one node are",
                "it has to be the same directory on all nodes: else a job that goes on elsewhere starts over"};
    return {Health::good, "storage.base", store.path, ""};
}

} // namespace ckpt::cli
