// SPDX-License-Identifier: GPL-2.0-or-later
// One conversation with `criu swrk`: a request, its notifications, a response. One protobuf message per
// packet (criu/cr-service.c). The messages themselves stay in criu_client.cpp.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

using Deadline = std::chrono::steady_clock::time_point;

// What dump and restore have in common.
struct CriuOptions {
    std::string images_dir; // as criu sees it: /proc/self/fd/N
    std::string log_file;   // a plain name, created in the images directory
};

struct CriuDumpOptions {
    CriuOptions common;
    pid_t pid = 0; // in criu's own pid namespace
    std::uint64_t ghost_limit = 0;
    bool leave_stopped = false;
};

struct InheritedFd {
    int fd = -1; // criu's number for it
    std::string key;
};

struct CriuRestoreOptions {
    CriuOptions common;
    std::vector<InheritedFd> inherit;
};

// Called for each notification ("pre-dump", "post-dump", …) while criu waits; a failure makes criu give up.
// `pid` is 0 unless criu gave one.
using CriuHook = std::function<Status(std::string_view script, pid_t pid)>;

class CriuClient {
public:
    // `socket` is our end of the pair whose other end criu got.
    CriuClient(int socket, Deadline deadline) : m_socket(socket), m_deadline(deadline) {}

    // "4.2.1". The connection stays usable.
    Result<std::string> version();
    // A refusal by criu comes back as Code::dump_failed or restore_failed with its reason, an exceeded
    // deadline as Code::deadline, a criu that has died as Code::not_found.
    Status dump(const CriuDumpOptions& options, const CriuHook& hook);
    // criu has said how its last dump or restore ended, and has let go of the processes by itself.
    [[nodiscard]] bool has_answered() const { return m_answered; }
    // The pid of the restored root in criu's pid namespace.
    Result<pid_t> restore(const CriuRestoreOptions& options, const CriuHook& hook);

private:
    int m_socket;
    Deadline m_deadline;
    bool m_answered = false;
};

} // namespace ckpt
