// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/open_files.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "engine/clocks.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"
#include "wire/init_protocol.hpp"

namespace ckpt {

namespace {

constexpr const char* k_script_name =
    "/slurm_script"; // slurmd_common/… writes every batch script under this name

bool is_kernel_file(int fd_dir, const std::string& name) {
    const Fd path(::openat(fd_dir, name.c_str(), O_PATH | O_CLOEXEC));
    struct statfs fs{};
    if (!path || ::fstatfs(path.get(), &fs) != 0) return false;
    return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC ||
           fs.f_type == CGROUP_SUPER_MAGIC;
}

struct Scan {
    std::set<OpenFile> files; // one entry per open file description is enough, and dup(2) is frequent
    std::optional<ScriptPosition> script;
};

Status scan_regular(int fd_dir, int fdinfo_dir, const std::string& name, const struct stat& st, Scan& scan) {
    const std::string path = link_target(fd_dir, name);
    CKPT_TRY(const FdInfo info, fd_info(fdinfo_dir, name));
    const bool writable = (info.flags & O_ACCMODE) != O_RDONLY && (info.flags & O_PATH) == 0;
    if (!writable) {
        if (path.ends_with(k_script_name)) {
            const Fd script(::openat(fd_dir, name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
            scan.script = ScriptPosition{path, info.position, script ? script_content(script.get()) : 0};
        }
        return {};
    }
    if (st.st_nlink == 0 || is_kernel_file(fd_dir, name)) return {}; // CRIU saves deleted files itself
    scan.files.insert(OpenFile{path, st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size),
                               info.position, info.flags, birth_ns(fd_dir, name)});
    return {};
}

Status scan_process(pid_t pid, Scan& scan) {
    CKPT_TRY(const Fd proc, open_proc(pid));
    const Fd fd_dir(::openat(proc.get(), "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Fd fdinfo_dir(::openat(proc.get(), "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd_dir || !fdinfo_dir)
        return fail_errno(Code::os, "list the descriptors of pid " + std::to_string(pid));
    CKPT_TRY(const auto names, list_dir(fd_dir.get()));
    for (const std::string& name : names) {
        struct stat st{};
        if (::fstatat(fd_dir.get(), name.c_str(), &st, 0) != 0)
            return fail_errno(Code::os, "look at a file of pid " + std::to_string(pid));
        if (S_ISREG(st.st_mode)) CKPT_CHECK(scan_regular(fd_dir.get(), fdinfo_dir.get(), name, st, scan));
    }
    return {};
}

Result<std::uint64_t> status_pipe_of(pid_t root) {
    struct stat st{};
    const std::string path = "/proc/" + std::to_string(root) + "/fd/" + std::to_string(wire::k_status_fd);
    if (::stat(path.c_str(), &st) != 0 || !S_ISFIFO(st.st_mode))
        return fail(Code::dump_refused, "the job's first process has lost its status pipe");
    return static_cast<std::uint64_t>(st.st_ino);
}

} // namespace

std::uint64_t script_content(int fd) {
    constexpr std::size_t k_script_max = 16 << 20; // Slurm takes 4 MiB (SchedulerParameters=max_script_size)
    const auto text = read_all(fd, k_script_max);
    if (!text) return 0;
    std::uint64_t hash =
        0xcbf29ce484222325; // FNV-1a: mistakes, not attacks; the user's script is the user's own
    for (const char c : *text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    return hash == 0 ? 1 : hash;
}

Result<DumpRecord> record_tree(pid_t root) {
    DumpRecord record;
    CKPT_TRY(record.clocks, clocks_of(root));
    CKPT_TRY(record.status_pipe, status_pipe_of(root));
    CKPT_TRY(const auto pids, tree_pids(root));
    Scan scan;
    for (const pid_t pid : pids) {
        const auto info = process_info(pid);
        if (info && info->state == 'Z') continue;
        CKPT_CHECK(scan_process(pid, scan));
    }
    record.script = std::move(scan.script);
    record.files.assign(scan.files.begin(), scan.files.end());
    return record;
}

void add_offsets_of_shim(DumpRecord& record, std::span<const int, 3> stdio) {
    const Fd dir(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const int fd : stdio) {
        struct stat st{};
        const int flags = ::fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || ::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        const OpenFile file{link_target(dir.get(), std::to_string(fd)),
                            st.st_dev,
                            st.st_ino,
                            static_cast<std::uint64_t>(st.st_size),
                            static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd, 0, SEEK_CUR), 0)),
                            static_cast<std::uint32_t>(flags),
                            birth_ns(fd, "")};
        const auto same = [&](const OpenFile& other) {
            return other.path == file.path && other.inode == file.inode;
        };
        if (std::ranges::any_of(record.files, same)) record.files.push_back(file);
    }
}

std::array<StdioIdentity, 3> identify_stdio(std::span<const int, 3> fds) {
    std::array<StdioIdentity, 3> out;
    for (std::size_t i = 0; i < out.size(); ++i) {
        struct stat st{};
        if (::fstat(fds[i], &st) != 0) continue;
        const Fd dir(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (S_ISFIFO(st.st_mode))
            out.at(i) = {StdioIdentity::Kind::pipe, st.st_ino, ""};
        else if (S_ISREG(st.st_mode))
            out.at(i) = {StdioIdentity::Kind::file, st.st_ino,
                         link_target(dir.get(), std::to_string(fds[i]))};
    }
    return out;
}

} // namespace ckpt
