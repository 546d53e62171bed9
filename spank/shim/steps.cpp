// SPDX-License-Identifier: GPL-2.0-or-later
#include "steps.hpp"

#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>

#include "os/files.hpp"
#include "os/process.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_command_max = 8 << 20; // four times what execve(2) takes
constexpr std::size_t k_beside = 2;            // the command's file and the working directory

} // namespace

Result<Steps> Steps::open(const std::string& dir) {
    CKPT_TRY(Fd socket, bind_datagram(dir + "/" + wire::k_shim_name));
    Fd events(::epoll_create1(EPOLL_CLOEXEC));
    if (!events) return fail_errno(Code::os, "make an epoll descriptor");
    Steps steps(std::move(events), std::move(socket), dir);
    steps.watch(steps.m_socket.get());
    return steps;
}

// A descriptor that is closed leaves by itself (epoll(7)).
void Steps::watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    (void)::epoll_ctl(m_events.get(), EPOLL_CTL_ADD, fd, &event);
}

void Steps::serve() {
    read_messages();
    look_at_stand_ins();
    look_at_children();
}

void Steps::read_messages() {
    for (;;) {
        auto message = receive_datagram(m_socket.get());
        if (!message && message.error().code == Code::wire_malformed) continue;
        if (!message) return;
        // The directory is the user's, and so is everybody who gets here but root.
        if (message->from.starts_with(m_dir + "/") && message->uid == ::getuid()) obey(std::move(*message));
    }
}

template <typename M>
void Steps::answer(const std::string& to, const M& message) {
    (void)send_datagram(m_socket.get(), to, wire::encode(message)); // it has gone, or does not read
}

void Steps::obey(Datagram message) {
    const auto known = std::ranges::find(m_running, message.from, &Step::stand_in);
    if (const auto signal = wire::decode<wire::StepSignal>(message.bytes)) {
        if (known != m_running.end()) (void)signal_pidfd(known->child.pidfd.get(), signal->signal);
        return;
    }
    if (!wire::decode<wire::StepStart>(message.bytes) || known != m_running.end()) return;
    auto stand_in = open_pidfd(message.pid);
    if (!stand_in) return; // it has gone
    auto child = start(message);
    if (!child) {
        const int errnum = child.error().errnum;
        return answer(message.from, wire::StepEnded{0, errnum != 0 ? errnum : EINVAL});
    }
    watch(stand_in->get());
    watch(child->pidfd.get());
    m_running.push_back({message.from, std::move(*stand_in), std::move(*child)});
    answer(message.from, wire::StepRuns{});
}

Result<StepChild> Steps::start(const Datagram& message) {
    struct stat status{};
    if (message.fds.size() < k_beside || ::fstat(message.fds[0].get(), &status) != 0 ||
        !S_ISREG(status.st_mode))
        return fail(Code::wire_malformed, "a request without a command");
    if (::lseek(message.fds[0].get(), 0, SEEK_SET) != 0) return fail_errno(Code::os, "read the command");
    CKPT_TRY(const std::string bytes, read_all(message.fds[0].get(), k_command_max));
    CKPT_TRY(const auto command, wire::decode<wire::StepCommand>(bytes));
    std::vector<Fd> descriptors;
    for (std::size_t i = k_beside; i < message.fds.size(); ++i) {
        CKPT_TRY(Fd copy, duplicate(message.fds[i].get()));
        descriptors.push_back(std::move(copy));
    }
    return start_step(command, message.fds[1].get(), descriptors);
}

// srun's own shepherd ends its step when srun was killed (slurm src/srun/libsrun/launch.c, fork_shepherd).
void Steps::look_at_stand_ins() {
    for (Step& step : m_running) {
        if (!step.stand_in_pidfd || pidfd_alive(step.stand_in_pidfd.get())) continue;
        (void)signal_pidfd(step.child.pidfd.get(), SIGKILL);
        step.stand_in_pidfd.reset();
    }
}

void Steps::look_at_children() {
    for (auto step = m_running.begin(); step != m_running.end();) {
        int status = 0;
        const pid_t ended = ::waitpid(step->child.pid, &status, WNOHANG);
        if (ended != step->child.pid) {
            ++step;
            continue;
        }
        answer(step->stand_in, wire::StepEnded{status, 0});
        step = m_running.erase(step);
    }
}

} // namespace ckpt
