// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/home_inside.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "engine/clocks.hpp"
#include "engine/criu_process.hpp"
#include "engine/ipc.hpp"
#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr int k_control_fd = 3;
constexpr int k_inside_failed = 127;

bool same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Status write_file(const char* path, const std::string& text) {
    const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::restore_failed, std::string("open ") + path);
    return write_all(file.get(), text);
}

Status join_cgroups(const std::vector<Fd>& cgroups) {
    for (const Fd& procs : cgroups) {
        const Status joined = write_all(procs.get(), "0");
        if (!joined) return fail_errno(Code::restore_failed, "join the job's cgroup", joined.error().errnum);
    }
    return {};
}

// As engine/same_root.hpp says for dumps.
Status check_node_root(const NodeFiles& before, const std::string& criu) {
    CKPT_TRY(const NodeFiles inside, node_files(criu));
    if (same(before.root, inside.root) && same(before.criu, inside.criu)) return {};
    return fail(Code::restore_failed, "the job runs in another root file system than the node's",
                "jobs in containers cannot be restored");
}

Status make_namespaces(Root root, const HomeSpec& spec, const InsideFds& fds) {
    CKPT_CHECK(join_cgroups(fds.cgroups)); // first: everything from here on is the job's
    if (::setns(spec.mount_ns, CLONE_NEWNS) != 0)
        return fail_errno(Code::restore_failed, "enter the job's mounts");
    CKPT_CHECK(check_node_root(fds.node, spec.criu));
    if (::unshare(CLONE_NEWNS | (spec.fresh_ipc ? CLONE_NEWIPC : 0)) != 0)
        return fail_errno(Code::restore_failed, "make a mount and an IPC namespace");
    // Slave: what the node mounts later (automounts of home directories) still appears, ours stays inside.
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
        return fail_errno(Code::restore_failed, "separate the job's mounts");
    if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        return fail_errno(Code::restore_failed, "mount /proc");
    CKPT_CHECK(enter_clocks(root, spec.clocks));
    CKPT_CHECK(write_file("/proc/sys/kernel/ns_last_pid", std::to_string(spec.last_pid)));
    if (!spec.fresh_ipc) CKPT_CHECK(cover_ipc_sysctls(root));
    // A session outside of the namespace would be 0 inside, which CRIU refuses to dump (pstree.c).
    if (::setsid() < 0) return fail_errno(Code::restore_failed, "start a session");
    return {};
}

// Only the effective ids change, and only for the moment of an open; the process stays root's otherwise.
Status take_effective_ids(Root /*root*/, uid_t uid, gid_t gid, const std::vector<gid_t>& groups) {
    if (::setgroups(groups.size(), groups.data()) != 0 ||
        ::setresgid(static_cast<gid_t>(-1), gid, static_cast<gid_t>(-1)) != 0 ||
        ::setresuid(static_cast<uid_t>(-1), uid, static_cast<uid_t>(-1)) != 0)
        return fail_errno(Code::restore_failed, "take the user's ids");
    return {};
}

// Not blocking, since a user may have put a FIFO there.
Result<Fd> open_passed(const PassedFile& file) {
    Fd fd(::open(file.path.c_str(), file.flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) return fail_errno(Code::restore_failed, "open " + file.path);
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || (file.inode != 0 && st.st_ino != file.inode))
        return fail(Code::restore_failed, file.path + " is not the file that Slurm opened");
    if (::fcntl(fd.get(), F_SETFL, file.flags) != 0 ||
        (file.position != 0 && ::lseek(fd.get(), static_cast<off_t>(file.position), SEEK_SET) < 0))
        return fail_errno(Code::restore_failed, "seek in " + file.path);
    return fd;
}

Result<std::vector<Fd>> open_passed_files(Root root, const HomeSpec& spec) {
    const JobUser user = job_user(spec.user);
    std::vector<Fd> opened;
    for (const PassedFile& file : spec.passed) {
        if (file.path.empty()) {
            CKPT_TRY(Fd copy, duplicate(file.fd));
            opened.push_back(std::move(copy));
            continue;
        }
        CKPT_CHECK(take_effective_ids(root, user.uid, user.gid, user.groups));
        auto fd = open_passed(file);
        // uid first: the other calls need the capabilities that come back with effective uid 0
        if (::setresuid(static_cast<uid_t>(-1), 0, static_cast<uid_t>(-1)) != 0)
            return fail_errno(Code::restore_failed, "become root again");
        CKPT_CHECK(take_effective_ids(root, 0, 0, {}));
        if (!fd) return tl::unexpected(fd.error());
        opened.push_back(std::move(*fd));
    }
    return opened;
}

Result<Child> start_criu(const HomeSpec& spec, const InsideFds& fds, const std::vector<Fd>& passed) {
    CKPT_TRY(SpawnSpec criu, criu_spawn_spec(spec.criu, spec.user, spec.rights, fds.criu.get(), spec.images));
    int number = k_criu_first_inherited;
    for (const Fd& fd : passed)
        criu.fds.emplace_back(fd.get(), number++);
    return spawn(criu);
}

// Everything else closes on exec.
Status exec_init(const HomeSpec& spec, const InsideFds& fds, pid_t criu) {
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return fail_errno(Code::restore_failed, "open /dev/null");
    for (int fd = 0; fd <= 2; ++fd)
        ::dup2(null.get(), fd);
    ::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); // it survives an exec, but ckpt-init is to survive the engine
    // The control socket may sit anywhere, and its number may be in use: dup2 onto a free one of its own
    // choice.
    const int control = ::fcntl(fds.control.get(), F_DUPFD, k_control_fd);
    if (control < 0) return fail_errno(Code::restore_failed, "place the control socket");
    std::array<std::string, 6> words = {"ckpt-init",
                                        "pid1",
                                        std::to_string(criu),
                                        std::to_string(control),
                                        std::to_string(spec.user.uid),
                                        std::to_string(spec.user.gid)};
    std::array<char*, words.size() + 1> argv{};
    for (std::size_t i = 0; i < words.size(); ++i)
        argv.at(i) = words.at(i).data();
    char* no_environment = nullptr;
    ::fexecve(fds.init.get(), argv.data(), &no_environment);
    return fail_errno(Code::restore_failed, "start ckpt-init");
}

Status turn_into_pid1(Root root, const HomeSpec& spec, const InsideFds& fds) {
    // Until ckpt-init watches the control socket, nothing else would end us with the engine.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    CKPT_CHECK(make_namespaces(root, spec, fds));
    CKPT_TRY(const auto passed, open_passed_files(root, spec));
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // changing the effective ids has cleared it (prctl(2))
    CKPT_TRY(const Child criu, start_criu(spec, fds, passed));
    return exec_init(spec, fds, criu.pid());
}

} // namespace

Result<NodeFiles> node_files(const std::string& criu) {
    NodeFiles files;
    if (::stat("/", &files.root) != 0) return fail_errno(Code::restore_failed, "look at /");
    if (::stat(criu.c_str(), &files.criu) != 0) return fail_errno(Code::restore_failed, "look at " + criu);
    return files;
}

void become_pid1(Root root, const HomeSpec& spec, InsideFds& fds) {
    const Status failed = turn_into_pid1(root, spec, fds); // returns only when something went wrong
    HomeFailure failure;
    if (!failed) failure.outcome = wire::outcome_of(failed.error());
    (void)write_all(fds.report.get(), wire::encode(failure));
    ::_exit(k_inside_failed);
}

} // namespace ckpt
