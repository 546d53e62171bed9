// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_child.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "os/files.hpp"
#include "os/process.hpp"

namespace ckpt {

namespace {

// In the child, between fork and exec: nothing here allocates.
class Becoming {
public:
    Becoming(const wire::StepCommand& command, int cwd, const std::vector<Fd>& descriptors, int report)
        : m_command(command), m_argv_texts(command.argv), m_environment_texts(command.environment),
          m_argv(exec_pointers(m_argv_texts)), m_environment(exec_pointers(m_environment_texts)),
          m_descriptors(descriptors), m_moved(descriptors.size()), m_cwd(cwd), m_report(report) {
        // Above every number that is wanted, so that none is overwritten before it is in its place.
        m_above = 3;
        for (const std::int32_t number : command.descriptors)
            m_above = std::max(m_above, number + 1);
    }

    [[noreturn]] void become() {
        ::setsid();
        if (::fchdir(m_cwd) == 0 && place_descriptors()) {
            take_limits();
            take_signals();
            ::execve(m_command.program.c_str(), m_argv.data(), m_environment.data());
        }
        const int errnum = errno;
        (void)!::write(m_report, &errnum, sizeof errnum);
        ::_exit(127);
    }

private:
    bool place_descriptors() {
        m_report = ::fcntl(m_report, F_DUPFD_CLOEXEC, m_above);
        if (m_report < 0) return false;
        for (std::size_t i = 0; i < m_moved.size(); ++i) {
            m_moved[i] = ::fcntl(m_descriptors[i].get(), F_DUPFD_CLOEXEC, m_above);
            if (m_moved[i] < 0) return false;
        }
        // Whatever else we have is not srun's. Linux 5.11; before, nothing of ours is without the flag.
        ::close_range(static_cast<unsigned>(m_above), ~0U, CLOSE_RANGE_CLOEXEC);
        // What the stand-in had closed is closed.
        ::close_range(0, static_cast<unsigned>(m_above - 1), 0);
        for (std::size_t i = 0; i < m_moved.size(); ++i)
            if (::dup2(m_moved[i], m_command.descriptors[i]) < 0) return false;
        return true;
    }

    // One that does not fit, since ours was lowered meanwhile, stays as it is.
    void take_limits() const {
        ::umask(m_command.umask);
        (void)::setpriority(PRIO_PROCESS, 0, m_command.nice);
        for (std::size_t i = 0; i < m_command.limits.size() && i < RLIM_NLIMITS; ++i) {
            const rlimit limit{m_command.limits[i].soft, m_command.limits[i].hard};
            (void)::setrlimit(static_cast<__rlimit_resource>(i), &limit);
        }
    }

    void take_signals() const {
        for (int signal = 1; signal < NSIG; ++signal)
            (void)::signal(signal, (m_command.ignored >> (signal - 1) & 1) != 0 ? SIG_IGN : SIG_DFL);
        sigset_t blocked;
        ::sigemptyset(&blocked);
        for (int signal = 1; signal < NSIG; ++signal)
            if ((m_command.blocked >> (signal - 1) & 1) != 0) ::sigaddset(&blocked, signal);
        ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
    }

    const wire::StepCommand& m_command;
    std::vector<std::string> m_argv_texts;
    std::vector<std::string> m_environment_texts;
    std::vector<char*> m_argv;
    std::vector<char*> m_environment;
    const std::vector<Fd>& m_descriptors;
    std::vector<int> m_moved;
    int m_cwd;
    int m_report;
    int m_above = 3;
};

int exec_result(int report) {
    int errnum = 0;
    ssize_t n = 0;
    while ((n = ::read(report, &errnum, sizeof errnum)) < 0 && errno == EINTR) {
    }
    return n == static_cast<ssize_t>(sizeof errnum) ? errnum : 0;
}

} // namespace

Result<StepChild> start_step(const wire::StepCommand& command, int cwd, const std::vector<Fd>& descriptors) {
    if (descriptors.size() != command.descriptors.size() ||
        std::ranges::any_of(command.descriptors, [](std::int32_t number) { return number < 0; }))
        return fail(Code::wire_malformed, "descriptors without a number");
    CKPT_TRY(Pipe report, make_pipe());
    Becoming becoming(command, cwd, descriptors, report.write.get());
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(Code::os, "start srun");
    if (pid == 0) becoming.become();
    report.write.reset();
    const int errnum = exec_result(report.read.get());
    auto pidfd = open_pidfd(pid);
    if (errnum == 0 && pidfd) return StepChild{pid, std::move(*pidfd)};
    if (errnum == 0) ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (!pidfd) return tl::unexpected(pidfd.error());
    errno = errnum;
    return fail_errno(Code::os, command.program);
}

} // namespace ckpt
