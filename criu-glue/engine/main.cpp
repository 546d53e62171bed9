// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-engine: serves one DumpRequest or RestoreRequest on descriptor 3 and exits. Runs as root, started by
// ckptd.
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "engine/dump.hpp"
#include "engine/restore.hpp"
#include "os/socket.hpp"
#include "wire/worker.hpp"

namespace {

using namespace ckpt;

constexpr std::chrono::seconds k_request_patience{10};
constexpr std::size_t k_dump_fds = 6;
constexpr std::size_t k_restore_fds = 7;

template <typename Answer>
int answer(const Answer& result, const std::vector<int>& fds = {}) {
    const Status sent = send_packet(wire::k_worker_fd, wire::encode(result), fds);
    return sent && result.outcome.code == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

Error wrong_descriptors() {
    return Error{Code::wire_malformed, "a request with the wrong descriptors", "", 0};
}

int serve_dump(Packet& packet) {
    const auto request = wire::decode<wire::DumpRequest>(packet.bytes);
    Result<wire::DumpResult> result = tl::unexpected(wrong_descriptors());
    if (!request)
        result = tl::unexpected(request.error());
    else if (packet.fds.size() == k_dump_fds) {
        const DumpFds fds{std::move(packet.fds[0]),
                          std::move(packet.fds[1]),
                          std::move(packet.fds[2]),
                          {std::move(packet.fds[3]), std::move(packet.fds[4]), std::move(packet.fds[5])}};
        result = dump(*request, fds);
    }
    if (result) return answer(*result);
    wire::DumpResult failed;
    failed.outcome = wire::outcome_of(result.error());
    return answer(failed);
}

int serve_restore(Packet& packet) {
    const auto request = wire::decode<wire::RestoreRequest>(packet.bytes);
    Result<Restored> restored = tl::unexpected(wrong_descriptors());
    if (!request)
        restored = tl::unexpected(request.error());
    else if (packet.fds.size() == k_restore_fds) {
        auto& in = packet.fds;
        const RestoreFds fds{std::move(in[0]),
                             std::move(in[1]),
                             std::move(in[2]),
                             {std::move(in[3]), std::move(in[4]), std::move(in[5])},
                             std::move(in[6])};
        restored = restore(*request, fds);
    }
    if (restored)
        return answer(restored->result,
                      {restored->root_pidfd.get(), restored->mount_ns.get(), restored->pid_ns.get()});
    wire::RestoreResult failed;
    failed.outcome = wire::outcome_of(restored.error());
    return answer(failed);
}

} // namespace

int main() {
    ::umask(077);               // CRIU creates its images with mode 0644 (image.h:CR_FD_PERM)
    const rlimit no_core{0, 0}; // a core of ours would hold the user's memory
    ::setrlimit(RLIMIT_CORE, &no_core);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) { // criu opens every descriptor of the tree
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::signal(SIGPIPE, SIG_IGN); // NOLINT(cert-err33-c): cannot fail for SIGPIPE
    auto packet = receive_packet(wire::k_worker_fd, k_request_patience);
    if (!packet) return EXIT_FAILURE;
    const auto type = wire::type_of(packet->bytes);
    if (!type) return EXIT_FAILURE;
    if (*type == wire::DumpRequest::k_type) return serve_dump(*packet);
    if (*type == wire::RestoreRequest::k_type) return serve_restore(*packet);
    return EXIT_FAILURE;
}
