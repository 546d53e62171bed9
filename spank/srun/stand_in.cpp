// SPDX-License-Identifier: GPL-2.0-or-later
#include "stand_in.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <format>
#include <span>
#include <vector>

#include "command.hpp"
#include "fault/fault.hpp"
#include "os/datagram.hpp"
#include "shim/signals.hpp"

namespace ckpt {

namespace {

constexpr int k_full_pause_ms = 5; // a datagram socket does not say when its peer's queue has room (unix(7))
constexpr int k_look_ms = 10'000;  // whether the shim is still there
constexpr int k_appears_looks = 400; // two seconds
constexpr int k_ask_pause_ms = 1000; // for a descriptor or memory that there is none of
constexpr int k_asks = 60;
constexpr int k_looks = 6; // in vain, until it has gone: around a restore there is none for a moment

// Right after a restore the shim comes a moment later than the tree.
bool appears(const std::string& dir, const std::string& socket) {
    for (int looks = 0; looks < k_appears_looks; ++looks) {
        if (::access(socket.c_str(), W_OK) == 0) return true;
        if (::access(dir.c_str(), X_OK) != 0) return false;
        (void)::poll(nullptr, 0, k_full_pause_ms);
    }
    return false;
}

} // namespace

Result<StandIn> StandIn::start(const std::string& dir, const wire::StepCommand& command, bool is_script) {
    const std::string shim = dir + "/" + wire::k_shim_name;
    if (!appears(dir, shim)) return fail_errno(Code::not_found, "find the shim's socket");
    std::uint64_t id = 0;
    if (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id))
        return fail_errno(Code::os, "get a random number");
    const std::string path = std::format("{}/{:016x}", dir, id);
    CKPT_TRY(Fd socket, bind_datagram(path, Senders::unknown));
    CKPT_TRY(Fd signals, signal_descriptor(every_signal()));
    StandIn stand_in(command, is_script, std::move(socket), std::move(signals), path, shim);
    CKPT_CHECK(stand_in.ask());
    return stand_in;
}

Status StandIn::ask() {
    CKPT_FAULT("srun.ask");
    CKPT_TRY(const Fd file, as_file(*m_command));
    const Fd cwd(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!cwd) return fail_errno(Code::os, "open the working directory");
    std::vector<int> fds{file.get(), cwd.get()};
    fds.insert(fds.end(), m_command->descriptors.begin(), m_command->descriptors.end());
    return send_patiently(wire::encode(wire::StepStart{}), fds);
}

StandIn::~StandIn() {
    if (m_socket) ::unlink(m_path.c_str());
}

Status StandIn::send_patiently(const std::string& bytes, std::span<const int> fds) {
    for (;;) {
        const Status sent = send_datagram(m_socket.get(), m_shim, bytes, fds);
        if (sent || sent.error().code != Code::busy) return sent;
        (void)::poll(nullptr, 0, k_full_pause_ms);
    }
}

void StandIn::pass_signals_on() {
    while (const auto signal = next_sent_signal(m_signals.get())) {
        if (m_is_script && (*signal == SIGUSR1 || *signal == SIGUSR2)) continue;
        (void)send_patiently(wire::encode(wire::StepSignal{*signal}), {});
        // Whoever stops srun, such as a shell's job control, waits for it to stop.
        if (*signal == SIGTSTP || *signal == SIGTTIN || *signal == SIGTTOU) (void)::raise(SIGSTOP);
    }
}

Result<std::optional<wire::StepEnded>> StandIn::read() {
    // Nobody but the user gets here. CRIU does not keep who has sent what was unread at a checkpoint
    // (criu/sk-unix.c:add_fake_queuer); an end among it is the end, and nothing is asked for any more.
    bool again = false;
    for (;;) {
        const auto message = receive_datagram(m_socket.get());
        if (!message && message.error().code == Code::deadline) break;
        if (!message) continue;
        if (const auto ended = wire::decode<wire::StepEnded>(message->bytes)) return *ended;
        again |= wire::decode<wire::StepAgain>(message->bytes).has_value();
    }
    if (again) m_asks = k_asks;
    CKPT_CHECK(ask_again());
    return std::nullopt;
}

// The script must not take it for its step's failure.
Status StandIn::ask_again() {
    if (m_asks == 0) return {};
    const Status asked = ask();
    m_asks = asked ? 0 : m_asks - 1;
    return m_asks > 0 ? Status() : asked;
}

bool StandIn::is_alone() {
    const Status there = send_datagram(m_socket.get(), m_shim, {});
    return !there && there.error().code == Code::not_found;
}

Result<wire::StepEnded> StandIn::wait() {
    for (int in_vain = 0;;) {
        std::array<pollfd, 2> fds{pollfd{m_signals.get(), POLLIN, 0}, pollfd{m_socket.get(), POLLIN, 0}};
        const int ready = ::poll(fds.data(), fds.size(), m_asks > 0 ? k_ask_pause_ms : k_look_ms);
        CKPT_FAULT_IN_TIME("srun.wait");
        if (fds[0].revents != 0) pass_signals_on();
        CKPT_TRY(const auto ended, read());
        if (ended) return *ended;
        if (ready != 0 || !is_alone())
            in_vain = 0;
        else if (++in_vain == k_looks)
            return fail(Code::not_found, "the job's shim has gone");
    }
}

} // namespace ckpt
