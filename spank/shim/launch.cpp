// SPDX-License-Identifier: GPL-2.0-or-later
#include "launch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "ending.hpp"
#include "exec_error.hpp"
#include "fault/fault.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "signals.hpp"
#include "wire/init_protocol.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

namespace {

constexpr const char* k_init = CKPT_LIBEXEC_DIR "/ckpt-init";

[[noreturn]] void fail_as_slurmstepd(const Application& application, int errnum) {
    std::string beginning = application.dated_messages ? dated(std::chrono::system_clock::now())
                                                       : slurmstepd_on(std::getenv("SLURMD_NODENAME"));
    (void)write_all(STDERR_FILENO, exec_error(std::move(beginning), application.program, errnum));
    end_as({false, errnum});
}

void lead_to_stand_in(const std::string& steps) {
    const char* path = std::getenv("PATH");
    const std::string ours = CKPT_LIBEXEC_DIR "/bin";
    ::setenv("PATH", (path != nullptr ? ours + ":" + path : ours).c_str(), 1);
    ::setenv(wire::k_steps_variable, steps.c_str(), 1);
}

// In the child. What follows has to happen before ckpt-init reports: an end without a report tells the shim
// that nothing was started.
[[noreturn]] void become_init(const Application& application, int status_write) {
    if (::dup2(status_write, wire::k_status_fd) < 0) ::_exit(127); // a hard limit below it
    for (int fd = 0; const int number : application.stdio) {
        if (number != fd && ::dup2(number, fd) < 0) ::_exit(127);
        ++fd;
    }
    ::setrlimit(RLIMIT_NOFILE, &application.files);
    if (!application.steps.empty()) lead_to_stand_in(application.steps);
    std::string mask = mask_as_hex(application.mask);
    std::string program = application.program;
    std::string words[] = {"ckpt-init", "run", "--mask", "--"};
    std::vector<char*> argv{words[0].data(), words[1].data(), words[2].data(),
                            mask.data(),     words[3].data(), program.data()};
    argv.insert(argv.end(), application.argv.begin(), application.argv.end());
    ::execv(k_init, argv.data());
    ::_exit(127);
}

Result<Tree> tree_of(pid_t child) {
    CKPT_TRY(Fd root, open_pidfd(child));
    return Tree{std::move(root), child};
}

} // namespace

Result<Tree> launch(const Application& application, int status_read, Fd status_write) {
    if (::access(k_init, X_OK) != 0) return fail_errno(Code::os, std::string("run ") + k_init);
    CKPT_FAULT("shim.launch");
    const pid_t child = ::fork();
    if (child < 0) return fail_errno(Code::os, "start ckpt-init");
    if (child == 0) become_init(application, status_write.get());
    status_write.reset();
    wire::InitReport report{};
    ssize_t n = 0;
    while ((n = ::read(status_read, &report, sizeof report)) < 0 && errno == EINTR) {
    }
    if (n == static_cast<ssize_t>(sizeof report) && report.status == wire::InitStatus::started)
        return tree_of(child);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (n == static_cast<ssize_t>(sizeof report)) fail_as_slurmstepd(application, report.value);
    if (WIFSIGNALED(status)) end_as(ending_of(status)); // somebody killed it; who knows how far it had come
    return fail(Code::os, "ckpt-init could not set itself up",
                "is the limit of open files or processes very low?");
}

rlimit raise_file_limit() {
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    const rlimit raised{old.rlim_max, old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
    return old;
}

void become(const Application& application) {
    ::setrlimit(RLIMIT_NOFILE, &application.files);
    ::sigprocmask(SIG_SETMASK, &application.mask, nullptr);
    ::execv(application.program.c_str(), application.argv.data());
    fail_as_slurmstepd(application, errno);
}

} // namespace ckpt
