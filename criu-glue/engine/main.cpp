// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-engine: serves one DumpRequest or RestoreRequest on descriptor 3 and exits. Runs as root, started by
// ckptd.
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "engine/dump.hpp"
#include "engine/restore.hpp"
#include "os/creds.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "wire/engine_messages.hpp"

namespace {

using namespace ckpt;

constexpr std::chrono::seconds k_request_patience{10};
constexpr std::size_t k_dump_fds = 5;
constexpr std::size_t k_restore_fds = 4;
constexpr std::size_t k_undo_fds = 3;

void prepare_process() {
    ::umask(077); // CRIU creates its images with mode 0644 (image.h:CR_FD_PERM)
    // A core of ours would hold the user's memory. The hard limit stays: criu could not give a job its own
    // back where root lacks CAP_SYS_RESOURCE.
    rlimit core{};
    if (::getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = 0;
        ::setrlimit(RLIMIT_CORE, &core);
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) { // criu opens every descriptor of the tree
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::signal(SIGPIPE, SIG_IGN); // NOLINT(cert-err33-c): cannot fail for SIGPIPE
}

template <typename Answer>
Status answer(const Answer& result, const std::vector<int>& fds = {}) {
    return send_packet(wire::k_worker_fd, wire::encode(result), fds);
}

tl::unexpected<Error> wrong_descriptors() {
    return fail(Code::wire_malformed, "a request with the wrong descriptors");
}

Result<std::array<Fd, 3>> stdio_of(const Fd& shim, const std::vector<std::int32_t>& numbers) {
    std::array<Fd, 3> stdio;
    if (numbers.size() != stdio.size())
        return fail(Code::wire_malformed, "a request without the task's stdio");
    for (std::size_t i = 0; i < stdio.size(); ++i) {
        CKPT_TRY(stdio.at(i), take_fd(shim.get(), numbers.at(i)));
    }
    return stdio;
}

Result<Fd> state_of(const Fd& shim, std::int32_t number) {
    if (number < 0) return Fd();
    return take_fd(shim.get(), number);
}

template <typename Message>
Status wait_for_go_on(const Message& message, std::chrono::milliseconds patience) {
    CKPT_CHECK(answer(message));
    CKPT_TRY(const Packet packet, receive_packet(wire::k_worker_fd, patience));
    CKPT_TRY(const auto go_on, wire::decode<wire::DumpGoOn>(packet.bytes));
    return wire::status_of(go_on.outcome);
}

Status serve_dump(Root rights, Packet& packet) {
    CKPT_TRY(const auto request, wire::decode<wire::DumpRequest>(packet.bytes));
    auto& in = packet.fds;
    if (in.size() != k_dump_fds) return wrong_descriptors();
    CKPT_TRY(auto stdio, stdio_of(in[4], request.stdio));
    CKPT_TRY(Fd state, state_of(in[4], request.state));
    const DumpFds fds{std::move(in[0]), std::move(in[1]), std::move(in[2]),
                      std::move(in[3]), std::move(stdio), std::move(state)};
    const DumpGate gate{wait_for_go_on<wire::DumpStopped>, [](DumpGate::Patience patience) {
                            return wait_for_go_on(wire::DumpTaken(), patience);
                        }};
    CKPT_TRY(const wire::DumpResult result, dump(rights, request, fds, gate));
    return answer(result);
}

Status serve_restore(Root rights, Packet& packet) {
    CKPT_TRY(const auto request, wire::decode<wire::RestoreRequest>(packet.bytes));
    auto& in = packet.fds;
    if (in.size() != k_restore_fds) return wrong_descriptors();
    CKPT_TRY(auto stdio, stdio_of(in[3], request.stdio));
    CKPT_TRY(Fd status_pipe, take_fd(in[3].get(), request.status_pipe));
    const RestoreFds fds{std::move(in[0]), std::move(in[1]), std::move(in[2]), std::move(stdio),
                         std::move(status_pipe)};
    CKPT_CHECK(restore(rights, request, fds, [](const Restored& restored) {
        std::vector<int> out{restored.root_pidfd.get(), restored.mount_ns.get(), restored.pid_ns.get()};
        if (restored.state) out.push_back(restored.state.get());
        return answer(restored.result, out);
    }));
    return answer(wire::RestoreDone());
}

Status serve_undo(Packet& packet) {
    CKPT_TRY(const auto request, wire::decode<wire::UndoRequest>(packet.bytes));
    auto& in = packet.fds;
    if (in.size() != k_undo_fds) return wrong_descriptors();
    RestoreFds fds;
    fds.images = std::move(in[0]);
    fds.tails = std::move(in[1]);
    fds.mount_ns = std::move(in[2]);
    CKPT_CHECK(undo_restore(request, fds));
    return answer(wire::UndoResult());
}

// A failure is an answer as well.
template <typename Answer>
int finish(const Status& served) {
    if (served) return EXIT_SUCCESS;
    Answer failed;
    failed.outcome = wire::outcome_of(served.error());
    (void)answer(failed);
    return EXIT_FAILURE;
}

} // namespace

int main() {
    prepare_process();
    const auto rights = Root::claim();
    if (!rights) return EXIT_FAILURE;
    auto packet = receive_packet(wire::k_worker_fd, k_request_patience);
    if (!packet) return EXIT_FAILURE;
    const auto type = wire::type_of(packet->bytes);
    if (!type) return EXIT_FAILURE;
    if (*type == wire::DumpRequest::k_type) return finish<wire::DumpResult>(serve_dump(*rights, *packet));
    if (*type == wire::RestoreRequest::k_type)
        return finish<wire::RestoreDone>(serve_restore(*rights, *packet));
    if (*type == wire::UndoRequest::k_type) return finish<wire::UndoResult>(serve_undo(*packet));
    return EXIT_FAILURE;
}
