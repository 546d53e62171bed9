// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "engine/ipc.hpp"
#include "os/fd.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr const char* k_kernel = "/proc/sys/kernel";
constexpr const char* k_fs = "/proc/sys/fs";
constexpr std::size_t k_value_max = 65536;

// ipc_ns.c:ipc_sysctl_req. Not the …_next_id ones: CRIU writes those for effect, through a procfs mount of
// its own (cr-restore.c:mount_proc), and CAP_CHECKPOINT_RESTORE suffices for them. The fs/mqueue ones are
// skipped when their directory is missing.
constexpr std::array k_written = {"sem",    "msgmax", "msgmnb", "auto_msgmni",    "msgmni",
                                  "shmmax", "shmall", "shmmni", "shm_rmid_forced"};

using Values = std::vector<std::pair<std::string, std::string>>;

// What else criu reads in these directories (kerndat.c) stays readable.
Result<Values> values_in(const char* path) {
    const Fd dir(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::restore_failed, std::string("open ") + path);
    CKPT_TRY(const auto names, list_dir(dir.get()));
    Values values;
    for (const std::string& name : names) {
        const Fd file(::openat(dir.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
        auto text = file ? read_all(file.get(), k_value_max) : fail(Code::os, "");
        if (text)
            values.emplace_back(name,
                                std::move(*text)); // neither directories nor files that only can be written
    }
    return values;
}

Status put(int dir, const std::string& name, const std::string& text, mode_t mode) {
    const Fd file(::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file || ::fchmod(file.get(), mode) != 0)
        return fail_errno(Code::restore_failed, "cover sysctl " + name);
    return write_all(file.get(), text);
}

// The files themselves cannot be covered: each IPC namespace shows files of its own (fs/proc/proc_sysctl.c),
// and the new one does not exist yet. Their directories are common to all.
Status cover(const char* path) {
    CKPT_TRY(const Values values, values_in(path));
    if (::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4m,mode=0755") != 0)
        return fail_errno(Code::restore_failed, std::string("cover ") + path);
    const Fd dir(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::restore_failed, std::string("open ") + path);
    for (const auto& [name, text] : values)
        CKPT_CHECK(put(dir.get(), name, text, 0444));
    return {};
}

int take_away(int mount_ns) {
    if (::setns(mount_ns, CLONE_NEWNS) != 0) return errno;
    for (const char* path : {k_kernel, k_fs})
        if (::umount2(path, MNT_DETACH) != 0) return errno;
    return 0;
}

} // namespace

Status cover_ipc_sysctls(Root /*root*/) {
    CKPT_CHECK(cover(k_kernel));
    CKPT_CHECK(cover(k_fs));
    const Fd dir(::open(k_kernel, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::restore_failed, std::string("open ") + k_kernel);
    for (const char* name : k_written)
        CKPT_CHECK(put(dir.get(), name, "", 0666));
    return {};
}

Status uncover_ipc_sysctls(Root /*root*/, int mount_ns) {
    const pid_t child = ::fork();
    if (child < 0) return fail_errno(Code::os, "fork");
    if (child == 0) ::_exit(take_away(mount_ns));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status)) return fail(Code::restore_failed, "cannot uncover the IPC sysctls");
    if (WEXITSTATUS(status) != 0)
        return fail_errno(Code::restore_failed, "uncover the IPC sysctls", WEXITSTATUS(status));
    return {};
}

} // namespace ckpt
