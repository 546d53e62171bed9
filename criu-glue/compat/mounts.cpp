// SPDX-License-Identifier: GPL-2.0-or-later
#include "compat/mounts.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace ckpt::compat {

namespace {

// Nothing of a job's can be lost with them: what they show is the kernel's or is in memory.
constexpr std::array<std::string_view, 29> k_no_storage = {
    "autofs",      "binfmt_misc", "bpf",        "cgroup",  "cgroup2",   "configfs",   "debugfs", "devpts",
    "devtmpfs",    "efivarfs",    "fuse.lxcfs", "fusectl", "hugetlbfs", "mqueue",     "none",    "nsfs",
    "overlayproc", "pipefs",      "proc",       "pstore",  "ramfs",     "rpc_pipefs", "rootfs",  "securityfs",
    "selinuxfs",   "sockfs",      "sysfs",      "tmpfs",   "tracefs",
};
constexpr std::array<std::string_view, 20> k_disks = {
    "bcachefs", "btrfs",  "erofs", "exfat",   "ext2",     "ext3",     "ext4", "f2fs", "fuseblk", "iso9660",
    "jfs",      "nilfs2", "ntfs3", "overlay", "reiserfs", "squashfs", "udf",  "vfat", "xfs",     "zfs",
};
// Of hier(7): on a disk of their own on some nodes, and a part of the root on others.
constexpr std::array<std::string_view, 13> k_system = {
    "/bin",  "/boot", "/dev", "/etc",  "/lib", "/lib64", "/opt",
    "/proc", "/root", "/run", "/sbin", "/usr", "/var",
};

bool contains(const auto& sorted, std::string_view word) {
    return std::ranges::binary_search(sorted, word);
}

// `path` is `directory`, or below it.
bool is_under(std::string_view path, std::string_view directory) {
    if (directory == "/") return true;
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

// What may stand for each other: a file system that NFS's versions mount, and whatever is on a disk.
std::string_view family_of(std::string_view type) {
    if (type == "nfs4") return "nfs";
    return contains(k_disks, type) ? std::string_view("disk") : type;
}

bool matters(const Mount& mount) {
    if (mount.point == "/" || contains(k_no_storage, mount.type)) return false;
    if (family_of(mount.type) != "disk") return true;
    return std::ranges::none_of(k_system, [&](std::string_view dir) { return is_under(mount.point, dir); });
}

// The kernel writes blanks, tabs, newlines and backslashes as \040, \011, \012 and \134
// (fs/proc_namespace.c:mangle).
std::string unmangled(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_octal =
            text[i] == '\\' && i + 3 < text.size() &&
            std::ranges::all_of(text.substr(i + 1, 3), [](char c) { return c >= '0' && c <= '7'; });
        if (!is_octal) {
            out += text[i];
            continue;
        }
        const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
        out += static_cast<char>(value);
        i += 3;
    }
    return out;
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

std::string_view next_word(std::string_view& line) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

// "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw" (proc_pid_mountinfo(5)).
Mount mount_of(std::string_view line) {
    Mount mount;
    for (int before = 0; before < 4; ++before)
        next_word(line);
    mount.point = unmangled(next_word(line));
    while (!line.empty())
        if (next_word(line) == "-") {
            mount.type = next_word(line);
            break;
        }
    return mount;
}

// What a path lies on: of those that are mounted at the same place the last one, which covers the others.
const Mount* covering(std::string_view path, const std::vector<Mount>& all) {
    const Mount* best = nullptr;
    for (const Mount& mount : all)
        if (is_under(path, mount.point) && (best == nullptr || mount.point.size() >= best->point.size()))
            best = &mount;
    return best;
}

} // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
    std::vector<Mount> all;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) break; // the last line may be cut
        Mount mount = mount_of(text.substr(0, end));
        text.remove_prefix(end + 1);
        const bool is_usable = mount.point.starts_with('/') && mount.point.size() <= k_point_max &&
                               is_printable(mount.point) && !mount.type.empty() && is_printable(mount.type) &&
                               mount.type.size() <= k_point_max;
        if (is_usable) all.push_back(std::move(mount));
    }
    return all;
}

std::vector<Mount> mounts_that_matter(const std::vector<Mount>& all) {
    std::set<Mount> some;
    for (const Mount& mount : all)
        if (mount.type == "autofs" || matters(mount)) some.insert(mount);
    return {some.begin(), some.end()};
}

std::vector<Mount> mounts_under(const std::vector<std::string>& paths, const std::vector<Mount>& all,
                                const std::vector<std::string>& own) {
    std::set<Mount> wanted;
    for (const std::string& path : paths) {
        if (std::ranges::any_of(own, [&](const std::string& dir) { return is_under(path, dir); })) continue;
        const Mount* mount = covering(path, all);
        if (mount != nullptr && matters(*mount) && wanted.size() < k_mounts_max) wanted.insert(*mount);
    }
    return {wanted.begin(), wanted.end()};
}

bool is_there(const Mount& wanted, const std::vector<Mount>& mounts) {
    return std::ranges::any_of(mounts, [&](const Mount& mount) {
        const bool is_near = is_under(wanted.point, mount.point) || is_under(mount.point, wanted.point);
        return is_near && (mount.type == "autofs" || family_of(mount.type) == family_of(wanted.type));
    });
}

} // namespace ckpt::compat
