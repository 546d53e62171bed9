// SPDX-License-Identifier: GPL-2.0-or-later
#include "quiet.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

namespace {

int g_stderr = STDERR_FILENO; // the real one
bool g_said = false;

void print(std::string_view line) {
    g_said = true;
    (void)!::write(g_stderr, line.data(), line.size());
}

// fatal() of libslurm calls exit(1): say what it said.
void at_exit() {
    if (g_said) return;
    std::array<char, 512> words{};
    const ssize_t n = ::pread(STDERR_FILENO, words.data(), words.size() - 1, 0);
    if (n <= 0) return;
    const std::string text(words.data(), static_cast<std::size_t>(n));
    print(one_line({Code::slurm_rpc, "libslurm: " + text.substr(0, text.find('\n')), "", 0}) + "\n");
}

extern "C" void ckpt_deadline(int /*signal*/) {
    print("slurmctld did not answer in time [CKPT-307]\n");
    ::_exit(1);
}

} // namespace

void quiet_libslurm() {
    const int real = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    const int memory = ::memfd_create("libslurm", MFD_CLOEXEC);
    if (real < 0 || memory < 0 || ::dup2(memory, STDERR_FILENO) < 0) return;
    ::close(memory);
    g_stderr = real;
    (void)std::atexit(at_exit);
}

void refuse(const std::string& line) {
    print(line + "\n");
    ::_exit(1);
}

void set_deadline(unsigned seconds) {
    (void)::signal(SIGALRM, ckpt_deadline);
    ::alarm(seconds);
}

} // namespace ckpt
