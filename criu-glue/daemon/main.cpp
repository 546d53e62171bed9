// SPDX-License-Identifier: GPL-2.0-or-later
// ckptd: one per node, root, socket-activated or started by hand.
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>
#include <utility>

#include "log.hpp"
#include "loop.hpp"
#include "os/creds.hpp"
#include "os/safe_path.hpp"
#include "server.hpp"

namespace {

constexpr int k_first_passed_fd = 3;   // sd_listen_fds(3)
constexpr mode_t k_socket_mode = 0666; // every user's shim connects; who it is, the kernel tells

int usage(std::ostream& out, int status) {
    out << "usage: ckptd [--policy FILE] [--key FILE]\n"
           "The node daemon of slurm-checkpoint. Reads its policy again on SIGHUP; see ckptd(8).\n";
    return status;
}

// The listening socket that systemd passed, or one of our own below a directory only root can write.
ckpt::Result<ckpt::Fd> listener(const ckpt::ServerConfig& config) {
    const char* pid = std::getenv("LISTEN_PID"); // NOLINT(concurrency-mt-unsafe): one thread
    if (pid != nullptr && std::strtol(pid, nullptr, 10) == ::getpid()) {
        ::fcntl(k_first_passed_fd, F_SETFD, FD_CLOEXEC);
        return ckpt::Fd(k_first_passed_fd);
    }
    const std::string directory = config.socket.substr(0, config.socket.rfind('/'));
    CKPT_TRY(const ckpt::Fd dir, ckpt::make_trusted_dir(directory, 0755));
    if (::fchmod(dir.get(), 0755) != 0)
        return ckpt::fail_errno(ckpt::Code::os, "set the mode of " + directory);
    return ckpt::listen_at(config.socket, k_socket_mode);
}

ckpt::Result<ckpt::Fd> watch_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int sig : {SIGTERM, SIGINT, SIGHUP})
        ::sigaddset(&set, sig);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ckpt::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return ckpt::fail_errno(ckpt::Code::os, "watch signals");
    return fd;
}

ckpt::Status serve(ckpt::Root rights, const ckpt::ServerConfig& config) {
    ckpt::Loop loop;
    ckpt::Server server(rights, loop, config);
    CKPT_TRY(const ckpt::Fd signals, watch_signals());
    bool asked_to_stop = false;
    loop.watch(signals.get(), [&] {
        signalfd_siginfo info{};
        if (::read(signals.get(), &info, sizeof info) != sizeof info) return;
        if (info.ssi_signo == SIGHUP)
            server.reload_policy();
        else if (std::exchange(asked_to_stop, true))
            loop.stop(); // the second time at once
        else
            server.stop_when_saved();
    });
    CKPT_TRY(ckpt::Fd socket, listener(config));
    CKPT_CHECK(server.start(std::move(socket)));
    loop.run();
    ckpt::log::info("ckptd ends; jobs that run now are checkpointed again when it is back");
    return {};
}

} // namespace

int main(int argc, char** argv) {
    ckpt::ServerConfig config;
    for (int i = 1; i < argc; ++i) {
        const std::string_view arg = argv[i];
        if (arg == "--help") return usage(std::cout, 0);
        if (arg == "--policy" && i + 1 < argc)
            config.policy_file = argv[++i];
        else if (arg == "--key" && i + 1 < argc)
            config.key_file = argv[++i];
        else
            return usage(std::cerr, 2);
    }
    const auto rights = ckpt::Root::claim();
    if (!rights) {
        std::cerr << "ckptd: must be started as root [CKPT-303]\n";
        return 1;
    }
    ::umask(077);
    const ckpt::Status served = serve(*rights, config);
    if (!served) {
        ckpt::log::error("ckptd cannot start", served.error());
        return 1;
    }
    return 0;
}
