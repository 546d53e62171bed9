// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/local_roots.hpp"

#include <linux/magic.h>
#include <stdlib.h> // NOLINT(modernize-deprecated-headers): realpath
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <climits>

#include "engine/local_files.hpp"
#include "engine/task_environment.hpp"
#include "engine/user_child.hpp"

namespace ckpt {

namespace {

constexpr long k_zfs = 0x2fc12fc1; // OpenZFS's include/os/linux/zfs/sys/zfs_vfsops_os.h
constexpr std::array<long, 8> k_local = {
    EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,       BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
    F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, RAMFS_MAGIC,       k_zfs};

// As the user. Empty when it is not local: names in /proc have no links in them, so neither may a root.
Result<std::string> where_local(const std::string& path) {
    std::array<char, PATH_MAX> real{};
    struct statfs fs{};
    if (::realpath(path.c_str(), real.data()) == nullptr || ::statfs(real.data(), &fs) != 0 ||
        !is_node_local(static_cast<long>(fs.f_type)))
        return std::string();
    return std::string(real.data());
}

} // namespace

bool is_node_local(long fs_type) {
    return std::ranges::find(k_local, fs_type) != k_local.end();
}

std::vector<std::string> local_roots(std::vector<std::string> policy, std::string_view environment,
                                     const JobUser& user, int mount_ns, std::chrono::milliseconds patience) {
    const std::string wanted(variable_in(environment, "TMPDIR"));
    if (!wanted.starts_with('/')) return policy;
    const auto real = as_user(user, mount_ns, patience, [&] { return where_local(wanted); });
    if (!real || real->size() < 2) return policy;
    const bool known =
        std::ranges::find(policy, *real) != policy.end() || !below_root(policy, *real).first.empty();
    if (!known) policy.push_back(*real);
    return policy;
}

} // namespace ckpt
