// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/ipc.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_table_max = 16 << 20;
enum Answer : std::uint8_t { empty = 0, holds_objects = 1, unknown = 2 };

// The tables show the namespace of whoever opens them; each has one line of headings.
int look_inside(int ipc_ns) {
    if (::setns(ipc_ns, CLONE_NEWIPC) != 0) return unknown;
    for (const char* table : {"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"}) {
        const Fd file(::open(table, O_RDONLY | O_CLOEXEC));
        if (!file && errno == ENOENT) continue; // CONFIG_SYSVIPC is off
        const auto text = file ? read_all(file.get(), k_table_max) : fail(Code::os, "");
        if (!text) return unknown;
        if (std::count(text->begin(), text->end(), '\n') > 1) return holds_objects;
    }
    return empty;
}

} // namespace

Result<bool> has_sysv_objects(Root /*root*/, pid_t pid) {
    CKPT_TRY(const Fd ns, open_namespace(pid, "ipc"));
    const pid_t child = ::fork();
    if (child < 0) return fail_errno(Code::os, "fork");
    if (child == 0) ::_exit(look_inside(ns.get()));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) == unknown)
        return fail(Code::os, "cannot look into the job's IPC namespace");
    return WEXITSTATUS(status) == holds_objects;
}

Result<bool> images_hold_ipc(int images) {
    CKPT_TRY(const auto names, list_dir(images));
    return std::ranges::any_of(names, [](const std::string& name) { return name.starts_with("ipcns-"); });
}

} // namespace ckpt
