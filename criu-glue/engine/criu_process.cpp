// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/criu_process.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "engine/log_excerpt.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_log_max = 16 << 20;

constexpr CapabilitySet bit(unsigned capability) {
    return CapabilitySet{1} << capability;
}

// What criu needs beyond being the user. CAP_SETUID must stay out: with it and --unprivileged, CRIU makes
// itself uid 0 again (namespaces.c:prepare_userns_creds) and can no longer open the user's files.
constexpr CapabilitySet k_criu_capabilities =
    bit(CAP_CHECKPOINT_RESTORE) | // map_files, clone3 with a chosen pid, the exe link
    bit(CAP_DAC_OVERRIDE) |       // the root-owned image directory, pipes made by slurmstepd
    bit(CAP_DAC_READ_SEARCH) |    // open_by_handle_at for inotify watches
    bit(CAP_SYS_PTRACE) |         // programs the user may execute but not read
    bit(CAP_SYS_ADMIN) |          // the step's IPC namespace, seccomp filters
    bit(CAP_SYS_RESOURCE) |       // limits above the hard limit, many descriptors
    bit(CAP_SYS_CHROOT) |         // files.c:prepare_fs_pid
    bit(CAP_SYS_NICE) |           // scheduling classes
    bit(CAP_NET_ADMIN) |          // TCP_REPAIR
    bit(CAP_NET_RAW) |            // packet sockets
    bit(CAP_IPC_OWNER) |          // SysV segments with modes of their own
    bit(CAP_SETGID) |             // tasks under newgrp(1)
    bit(CAP_SETPCAP) |            // dropping the bounding set
    bit(CAP_KILL);

// What of `wanted` this process itself has: containers may lack some, and a missing one must not end
// everything.
CapabilitySet permitted(CapabilitySet wanted) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
    return wanted & (CapabilitySet{data[0].permitted} | CapabilitySet{data[1].permitted} << 32);
}

} // namespace

Identity identity_of_user(const wire::UserIds& user) {
    return Identity{user.uid, user.gid, std::vector<gid_t>(user.groups.begin(), user.groups.end())};
}

Result<SpawnSpec> criu_spawn_spec(const std::string& criu, CriuIdentity as, const wire::UserIds& user,
                                  int socket, int images) {
    if (criu.empty() || criu[0] != '/')
        return fail(Code::internal, "the path of criu is not absolute: " + criu);
    SpawnSpec spec;
    spec.path = criu;
    // Configuration files could add plugins and scripts; CRIU_CONFIG_FILE and CRIU_LIBS_DIR are not in the
    // environment below (config.c, plugin.c).
    spec.argv = {criu, "--no-default-config", "swrk", std::to_string(k_criu_socket)};
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    spec.fds = {{socket, k_criu_socket}, {images, k_criu_images}};
    if (as == CriuIdentity::user) {
        spec.become = identity_of_user(user);
        spec.ambient = permitted(k_criu_capabilities);
    }
    return spec;
}

CriuOptions criu_common_options(CriuIdentity as, const std::string& log_file) {
    return CriuOptions{"/proc/self/fd/" + std::to_string(k_criu_images), log_file, as == CriuIdentity::user};
}

Error with_log_reason(Error error, int images, const std::string& log_file) {
    if (error.code != Code::dump_failed && error.code != Code::restore_failed) return error;
    if (error.what != explain_criu(error.code, "").what) return error;
    const auto log = open_beneath(images, log_file, O_RDONLY);
    if (!log) return error;
    const auto text = read_all(log->get(), k_log_max);
    if (!text) return error;
    const std::string line = first_error_of(*text);
    return line.empty() ? error : explain_criu(error.code, line);
}

} // namespace ckpt
