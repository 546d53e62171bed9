// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-sealer: carries out one request of ckptd on the store and ends. Separate from ckptd so that the key is
// never in a process that talks to users, and so that a file server that hangs can be killed at a deadline.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "os/socket.hpp"
#include "requests.hpp"
#include "seccomp/filter.hpp"
#include "wire/worker.hpp"

namespace {

constexpr auto k_request_limit = std::chrono::seconds(10);

// The key must reach no core file, and a file server's limit must be an error, not a signal.
ckpt::Status harden() {
    ::umask(077);
    ::clearenv(); // NOLINT(concurrency-mt-unsafe): one thread
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
#ifndef CKPT_SANITIZED                            // which reserves terabytes
    constexpr rlim_t k_memory = rlim_t{2} << 30U; // what a user's files say must not take the node's
    const rlimit memory{k_memory, k_memory};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    (void)std::signal(SIGXFSZ, SIG_IGN);
    (void)std::signal(SIGPIPE, SIG_IGN);
#ifdef CKPT_SANITIZED // which looks at its own threads as a debugger does
    return {};
#else
    return ckpt::allow_only_files();
#endif
}

int fatal(const std::string& what) {
    (void)std::fprintf(stderr, "ckpt-sealer: %s\n", what.c_str());
    return EXIT_FAILURE;
}

int run() {
    auto request = ckpt::receive_packet(ckpt::wire::k_worker_fd, k_request_limit);
    if (!request) return fatal(ckpt::one_line(request.error()));
    const std::string result = ckpt::serve(request->bytes, request->fds);
    if (result.empty()) return fatal("not a request for the sealer");
    const auto sent = ckpt::send_packet(ckpt::wire::k_worker_fd, result);
    return sent ? EXIT_SUCCESS : fatal(ckpt::one_line(sent.error()));
}

} // namespace

int main() {
    try {
        if (const ckpt::Status hardened = harden(); !hardened) return fatal(ckpt::one_line(hardened.error()));
        return run();
    } catch (const std::exception& error) { // memory: ckptd sees the missing answer
        return fatal(error.what());
    }
}
