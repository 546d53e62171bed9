// SPDX-License-Identifier: GPL-2.0-or-later
#include "step.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "os/files.hpp"
#include "os/process.hpp"
#include "srun/srun_options.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_command_max = 8 << 20; // four times what execve(2) takes
constexpr std::size_t k_beside = 2;            // the command's file and the working directory

Fd* descriptor_of(StepRequest& request, int number) {
    const auto& numbers = request.command.descriptors;
    const auto found = std::ranges::find(numbers, number);
    return found == numbers.end() ? nullptr
                                  : &request.descriptors[static_cast<std::size_t>(found - numbers.begin())];
}

void never_block(const Fd& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

bool srun_reads_input(const wire::StepCommand& command) {
    std::string input = read_srun_options(command.argv).input;
    for (const char* name : {"SRUN_INPUT", "SLURM_STDINMODE"}) // slurm src/srun/opt.c:env_vars
        if (input.empty()) input = value_of(command.environment, name);
    return reads_standard_input(input);
}

} // namespace

Result<StepRequest> read_step_request(std::uint64_t stand_in, Datagram message) {
    CKPT_TRY(Fd pidfd, open_pidfd(message.pid));
    StepRequest request{stand_in, {}, {}, {}, std::move(pidfd)};
    struct stat status{};
    if (message.fds.size() < k_beside || ::fstat(message.fds[0].get(), &status) != 0 ||
        !S_ISREG(status.st_mode))
        return fail(Code::wire_malformed, "a request without a command");
    if (::lseek(message.fds[0].get(), 0, SEEK_SET) != 0) return fail_errno(Code::os, "read the command");
    CKPT_TRY(const std::string bytes, read_all(message.fds[0].get(), k_command_max));
    CKPT_TRY(request.command, wire::decode<wire::StepCommand>(bytes));
    request.cwd = std::move(message.fds[1]);
    for (std::size_t i = k_beside; i < message.fds.size(); ++i)
        request.descriptors.push_back(std::move(message.fds[i]));
    if (request.descriptors.size() != request.command.descriptors.size())
        return fail(Code::wire_malformed, "descriptors without a number");
    return request;
}

Step::Step(int epoll, StepRequest request, const wire::StepRecord* record)
    : m_epoll(epoll), m_stand_in(request.stand_in) {
    m_stand_in_pidfd = watched(std::move(request.stand_in_pidfd));
    m_stand_in_pidfd.wait_for(EPOLLIN);
    if (record != nullptr && record->ended) {
        deliver_what_is_left(std::move(request), *record);
        return;
    }
    const Status started = start(std::move(request), record);
    if (started) return;
    m_ended = true;
    m_end.errnum = started.error().errnum != 0 ? started.error().errnum : EINVAL;
}

void Step::deliver_what_is_left(StepRequest request, const wire::StepRecord& record) {
    m_ended = true;
    m_end = {record.wait_status, record.errnum};
    const auto relay = [&](int number, const std::string& bytes) {
        Fd* const fd = descriptor_of(request, number);
        if (fd == nullptr || bytes.empty()) return OutRelay();
        return OutRelay({}, StepStream(m_epoll, m_stand_in, std::move(*fd), StepStream::Way::write), bytes);
    };
    m_out = relay(STDOUT_FILENO, record.out);
    m_err = relay(STDERR_FILENO, record.err);
}

Status Step::start(StepRequest request, const wire::StepRecord* record) {
    for (const Fd& fd : request.descriptors)
        m_given.merge(numbers_of(fd.get()));
    CKPT_CHECK(relay_output(request, record));
    CKPT_CHECK(relay_input(request, record));
    if (record != nullptr)
        for (const wire::StepOutput& output : record->outputs)
            cut_back(output);
    CKPT_TRY(m_child, start_step(request.command, request.cwd.get(), request.descriptors));
    m_child_pidfd = watched(std::move(m_child.pidfd));
    m_child_pidfd.wait_for(EPOLLIN);
    return {};
}

// One pipe for both, if they are one file: what srun writes keeps its order.
Status Step::relay_output(StepRequest& request, const wire::StepRecord* record) {
    Fd* const out = descriptor_of(request, STDOUT_FILENO);
    Fd* const err = descriptor_of(request, STDERR_FILENO);
    const bool shared = out != nullptr && err != nullptr && is_same_file(out->get(), err->get());
    const auto relay = [&](OutRelay& into, Fd& fd, const std::string& before) -> Status {
        if (!is_relayed_output(fd.get()) && before.empty()) return {};
        CKPT_TRY(Pipe pipe, make_pipe());
        never_block(pipe.read);
        StepStream to(m_epoll, m_stand_in, std::exchange(fd, std::move(pipe.write)), StepStream::Way::write);
        into = OutRelay(watched(std::move(pipe.read)), std::move(to), before);
        return {};
    };
    const std::string before_out = record != nullptr ? record->out : std::string();
    const std::string before_err = record != nullptr ? record->err : std::string();
    if (out != nullptr) CKPT_CHECK(relay(m_out, *out, shared ? before_out + before_err : before_out));
    if (err == nullptr) return {};
    if (!shared) return relay(m_err, *err, before_err);
    CKPT_TRY(*err, duplicate(out->get()));
    return {};
}

Status Step::relay_input(StepRequest& request, const wire::StepRecord* record) {
    Fd* const in = descriptor_of(request, STDIN_FILENO);
    const bool left = record != nullptr && (record->in_ended || !record->in.empty());
    if (in == nullptr || (!left && (!is_relayed_input(in->get()) || !srun_reads_input(request.command))))
        return {};
    CKPT_TRY(Pipe pipe, make_pipe());
    never_block(pipe.write);
    StepStream from(m_epoll, m_stand_in, std::exchange(*in, std::move(pipe.read)), StepStream::Way::read);
    m_in = InRelay(std::move(from), watched(std::move(pipe.write)), left ? record->in : std::string(),
                   left && record->in_ended);
    return {};
}

// srun's own shepherd ends its step when srun was killed (slurm src/srun/srun.c, fork_shepherd).
void Step::look_at_stand_in() {
    if (!m_stand_in_pidfd || pidfd_alive(m_stand_in_pidfd.get())) return;
    signal(SIGKILL);
    m_stand_in_pidfd.reset();
}

void Step::look_at_child() {
    int status = 0;
    if (m_ended || ::waitpid(m_child.pid, &status, WNOHANG) != m_child.pid) return;
    m_ended = true;
    m_end = {status, 0};
    m_child_pidfd.reset();
    m_input_left = m_in.stop();
}

void Step::serve() {
    look_at_stand_in();
    look_at_child(); // before what it has written: nothing comes after its end
    m_stand_in_pidfd.wait_for(EPOLLIN);
    m_child_pidfd.wait_for(EPOLLIN);
    m_in.run();
    m_out.run();
    m_err.run();
}

Status Step::settle(bool& moved) {
    pause();
    look_at_stand_in();
    look_at_child();
    moved |= m_in.settle();
    CKPT_CHECK(m_out.settle(moved));
    return m_err.settle(moved);
}

void Step::pause() {
    m_stand_in_pidfd.wait_for(k_nothing);
    m_child_pidfd.wait_for(k_nothing);
    m_in.pause();
    m_out.pause();
    m_err.pause();
}

std::optional<pid_t> Step::stand_in_pid() const {
    if (!m_stand_in_pidfd) return std::nullopt;
    const auto pid = pid_of(m_stand_in_pidfd.get());
    return pid ? std::optional(*pid) : std::nullopt;
}

bool Step::has_failed() const {
    return m_ended && !m_answered && m_child.pid != 0 && WIFEXITED(m_end.wait_status) &&
           WEXITSTATUS(m_end.wait_status) != 0;
}

void Step::job_ends(bool ends) {
    m_out.job_ends(ends);
    m_err.job_ends(ends);
}

void Step::signal(int signal) {
    m_has_signal = true;
    if (m_child_pidfd) (void)signal_pidfd(m_child_pidfd.get(), signal);
}

wire::StepRecord Step::record(bool in_doubt) const {
    wire::StepRecord record;
    record.stand_in = m_stand_in;
    record.ended = m_ended && !in_doubt;
    record.wait_status = m_end.wait_status;
    record.errnum = m_end.errnum;
    record.out = m_out.undelivered();
    record.err = m_err.undelivered();
    if (record.ended) return record;
    record.in = m_ended ? m_input_left : m_in.untaken();
    record.in_ended = m_in.has_ended();
    if (!m_ended) record.outputs = files_written_by(m_child.pid, m_given);
    return record;
}

std::vector<std::int32_t> Step::processes() const {
    return m_child_pidfd ? processes_below(m_child.pid) : std::vector<std::int32_t>();
}

std::optional<wire::StepEnded> Step::answer() {
    if (!m_ended || m_answered || !m_stand_in_pidfd || !m_out.is_drained() || !m_err.is_drained())
        return std::nullopt;
    m_answered = true;
    m_stand_in_pidfd.reset();
    return m_end;
}

} // namespace ckpt
