// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/criu_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "engine/log_excerpt.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_log_max = 16 << 20;
constexpr const char* k_preload = CKPT_LIBEXEC_DIR "/ckpt-criu-preload.so"; // preload/

} // namespace

JobUser job_user(const wire::UserIds& user) {
    return JobUser{{user.uid, user.gid, std::vector<gid_t>(user.groups.begin(), user.groups.end())}};
}

Result<SpawnSpec> criu_spawn_spec(const std::string& criu, const wire::UserIds& user, CapabilitySet rights,
                                  int socket, int images) {
    if (criu.empty() || criu[0] != '/')
        return fail(Code::internal, "the path of criu is not absolute: " + criu);
    if (::access(k_preload, R_OK) != 0) // without it criu would run all the same, and not be safe
        return fail_errno(Code::os, std::string("read ") + k_preload);
    SpawnSpec spec;
    spec.path = criu;
    // Configuration files could add plugins and scripts; CRIU_CONFIG_FILE and CRIU_LIBS_DIR are not in the
    // environment below (config.c, plugin.c).
    spec.argv = {criu, "--no-default-config", "swrk", std::to_string(k_criu_socket)};
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                        std::string("LD_PRELOAD=") + k_preload};
    spec.fds = {{socket, k_criu_socket}, {images, k_criu_images}};
    spec.become = job_user(user);
    spec.ambient = rights;
    return spec;
}

CriuOptions criu_common_options(const std::string& log_file) {
    return CriuOptions{"/proc/self/fd/" + std::to_string(k_criu_images), log_file};
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
