// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "os/files.hpp"
#include "signals.hpp"

namespace ckpt {

namespace {

constexpr const char* k_helper = CKPT_LIBEXEC_DIR "/ckpt-slurmctld";
constexpr std::size_t k_words_max = 4096;
constexpr int k_limit_ms = 20'000; // the helper has a shorter deadline of its own

[[noreturn]] void become_helper(const char* job, const std::string& reason, int words) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(words, STDERR_FILENO);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execl(k_helper, k_helper, "hold", job, reason.c_str(), nullptr);
    ::_exit(127);
}

// What the helper writes until it ends or the time is over.
std::string listen_to(int fd) {
    std::string words;
    const std::int64_t end = now_ms() + k_limit_ms;
    std::array<char, 512> chunk{};
    while (words.size() < k_words_max) {
        pollfd waiting{fd, POLLIN, 0};
        const std::int64_t left = end - now_ms();
        if (left <= 0) break;
        if (::poll(&waiting, 1, static_cast<int>(left)) <= 0) continue;
        const ssize_t n = ::read(fd, chunk.data(), chunk.size());
        if (n <= 0) break;
        words.append(chunk.data(), static_cast<std::size_t>(n));
    }
    const std::string line = words.substr(0, words.find('\n'));
    return line.substr(0, line.rfind(" [CKPT-")); // the error that is made of it gets its code anew
}

} // namespace

Status hold_job(const std::string& reason) {
    const char* job = std::getenv("SLURM_JOB_ID");
    if (job == nullptr) return fail(Code::slurm_rpc, "the job's number is not known");
    if (::access(k_helper, X_OK) != 0) return fail_errno(Code::slurm_rpc, std::string("run ") + k_helper);
    CKPT_TRY(Pipe words, make_pipe());
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno(Code::slurm_rpc, "run ckpt-slurmctld");
    if (pid == 0) become_helper(job, reason, words.write.get());
    words.write.reset();
    const std::string said = listen_to(words.read.get());
    ::kill(pid, SIGKILL); // after its last word it has ended, or overstayed
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(Code::slurm_rpc, said.empty() ? "slurmctld did not answer in time" : said);
}

} // namespace ckpt
