// SPDX-License-Identifier: GPL-2.0-or-later
#include "steps.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <format>
#include <iterator>
#include <utility>

#include "job_environment.hpp"
#include "os/safe_path.hpp"
#include "srun/srun_options.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

namespace {

constexpr std::uint64_t k_socket_mark = 0; // no stand-in has this number
constexpr std::size_t k_digits = 16;
constexpr int k_full_pause_ms = 5;
constexpr int k_full_tries = 200;

} // namespace

Steps::Steps(Fd events, Watched socket, std::string dir)
    : m_events(std::move(events)), m_socket(std::move(socket)), m_dir(std::move(dir)),
      m_now(slurm_variables()), m_first(m_now) {
    m_socket.wait_for(EPOLLIN);
}

Result<Steps> Steps::open(const std::string& dir) {
    const std::string path = dir + "/" + wire::k_shim_name;
    const Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const Status there = send_datagram(probe.get(), path, {});
    if (there || there.error().code == Code::busy)
        return fail(Code::busy, "another shim runs this job's steps");
    CKPT_TRY(Fd socket, bind_datagram(path, Senders::known));
    Fd events(::epoll_create1(EPOLL_CLOEXEC));
    if (!events) return fail_errno(Code::os, "make an epoll descriptor");
    const int epoll = events.get();
    return Steps(std::move(events), Watched(epoll, k_socket_mark, std::move(socket)), dir);
}

bool Steps::has_stand_ins() const {
    if (!m_socket) return false;
    std::error_code error;
    for (std::filesystem::directory_iterator at(m_dir, error), end; !error && at != end; at.increment(error))
        if (at->path().filename() != wire::k_shim_name) return true;
    return static_cast<bool>(error);
}

std::string Steps::path_of(std::uint64_t stand_in) const {
    return std::format("{}/{:016x}", m_dir, stand_in);
}

std::uint64_t Steps::stand_in_at(const std::string& path) const {
    if (path.size() != m_dir.size() + 1 + k_digits || !path.starts_with(m_dir + "/")) return 0;
    std::uint64_t number = 0;
    const char* const end = path.data() + path.size();
    const auto parsed = std::from_chars(end - k_digits, end, number, 16);
    return parsed.ec == std::errc() && parsed.ptr == end && path_of(number) == path ? number : 0;
}

Step* Steps::find(std::uint64_t stand_in) {
    const auto found = std::ranges::find(m_steps, stand_in, &Step::stand_in);
    return found == m_steps.end() ? nullptr : &*found;
}

void Steps::serve() {
    if (m_paused) return;
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(m_events.get(), events.data(), events.size(), 0);
    std::set<std::uint64_t> ready;
    for (int i = 0; i < count; ++i)
        ready.insert(events[static_cast<std::size_t>(i)].data.u64);
    if (ready.contains(k_socket_mark)) (void)read_messages();
    for (Step& step : m_steps)
        if (ready.contains(step.stand_in())) serve(step);
    forget_done();
}

void Steps::serve(Step& step) {
    step.serve();
    const bool is_kept = m_keeps_ends && !m_may_end.contains(step.stand_in());
    if (is_kept || is_in_doubt(step)) return;
    if (const auto ended = step.answer()) {
        // It has gone, or does not read.
        (void)send_datagram(m_socket.get(), path_of(step.stand_in()), wire::encode(*ended));
    }
    if (step.is_over() && m_said_over.insert(step.stand_in()).second) m_over.push_back(step.stand_in());
}

// It may have failed a moment ago, so that nobody has been asked yet.
bool Steps::may_be_jobs_end(const Step& step) const {
    return step.has_failed() && !m_cleared.contains(step.stand_in());
}

bool Steps::is_in_doubt(const Step& step) {
    if (!may_be_jobs_end(step)) return false;
    if (m_doubted.insert(step.stand_in()).second) m_doubts.push_back(step.stand_in());
    return true;
}

bool Steps::has_signal(std::uint64_t stand_in) {
    const Step* const step = find(stand_in);
    return step != nullptr && step->has_signal();
}

void Steps::clear(std::uint64_t stand_in) {
    if (m_doubted.erase(stand_in) == 0) return;
    m_cleared.insert(stand_in);
    Step* const step = find(stand_in);
    if (step == nullptr || m_paused) return;
    serve(*step);
    forget_done(); // whoever reads what it wrote waits for the last that holds the pipe
}

void Steps::clear_all() {
    for (const std::uint64_t stand_in : std::set<std::uint64_t>(m_doubted))
        clear(stand_in);
}

void Steps::forget_done() {
    std::erase_if(m_steps, [&](const Step& step) {
        if (!step.is_done()) return false;
        m_said_over.erase(step.stand_in());
        m_cleared.erase(step.stand_in());
        m_doubted.erase(step.stand_in());
        return true;
    });
}

bool Steps::read_messages() {
    for (bool some = false;; some = true) {
        auto message = receive_datagram(m_socket.get());
        if (!message && message.error().code == Code::wire_malformed) continue;
        if (!message) return some;
        // The directory is the user's, and so is everybody who gets here but root.
        if (message->uid == ::getuid()) obey(std::move(*message));
    }
}

void Steps::obey(Datagram message) {
    const std::uint64_t stand_in = stand_in_at(message.from);
    if (stand_in == 0) return;
    Step* const known = find(stand_in);
    if (const auto signal = wire::decode<wire::StepSignal>(message.bytes); signal && known != nullptr)
        return known->signal(signal->signal);
    // A step that began now would not be part of the checkpoint, and its stand-in would be.
    if (m_paused) return m_waiting.push_back(std::move(message));
    if (!wire::decode<wire::StepStart>(message.bytes)) return;
    if (known != nullptr) {
        if (const auto told = known->told())
            (void)send_datagram(m_socket.get(), path_of(stand_in), wire::encode(*told));
        return;
    }
    // Those of the checkpoint first: there may not be room for all at once, and what is saved of them waits.
    if (m_restoring && !m_records.contains(stand_in)) return m_waiting.push_back(std::move(message));
    start(stand_in, std::move(message));
}

void Steps::start(std::uint64_t stand_in, Datagram message) {
    const auto refuse = [&](int errnum) {
        (void)send_datagram(m_socket.get(), path_of(stand_in), wire::encode(wire::StepEnded{0, errnum}));
    };
    const bool is_known = m_records.contains(stand_in);
    if (!is_known && m_steps.size() + m_records.size() >= wire::StepsKnown::k_stand_ins_max)
        return refuse(EAGAIN);
    auto request = read_step_request(stand_in, std::move(message));
    if (!request && request.error().code == Code::not_found) return;
    if (!request) return refuse(EINVAL);
    const auto record = m_records.find(stand_in);
    prepare(*request, record != m_records.end());
    m_steps.emplace_back(m_events.get(), std::move(*request),
                         record == m_records.end() ? nullptr : &record->second);
    if (record != m_records.end()) m_records.erase(record);
    serve(m_steps.back());
}

void Steps::prepare(StepRequest& request, bool again) const {
    Variables& environment = request.command.environment;
    if (m_first != m_now) environment = for_this_incarnation(environment, m_first, m_now);
    set_variable(environment, wire::k_stand_in_variable, std::format("{:016x}", request.stand_in));
    std::vector<std::string>& argv = request.command.argv;
    const SrunOptions options = read_srun_options(argv);
    if (options.unbuffered || !value_of(environment, "SLURM_UNBUFFEREDIO").empty())
        set_variable(environment, wire::k_unbuffered_variable, "1");
    if (!again) return;
    // What the step has written is not to be emptied. The last option on the command line wins.
    set_variable(environment, "SLURM_OPEN_MODE", "append");
    if (options.open_mode)
        argv.insert(argv.begin() + static_cast<std::ptrdiff_t>(options.command_at), "--open-mode=append");
}

Status Steps::settle(wire::ShimState& state, wire::Settled& answer) {
    m_paused = true;
    m_socket.wait_for(k_nothing);
    bool moved = m_socket && read_messages();
    state.steps.clear();
    for (Step& step : m_steps) {
        CKPT_CHECK(step.settle(moved));
        if (step.is_over()) continue;
        state.steps.push_back(step.record(may_be_jobs_end(step)));
        for (const std::int32_t pid : step.processes()) {
            answer.sruns.push_back(pid);
            answer.stand_ins.push_back(step.stand_in());
        }
    }
    for (const auto& [stand_in, record] : m_records)
        state.steps.push_back(record);
    if (answer.sruns.size() > wire::Settled::k_sruns_max)
        return fail(Code::dump_refused, "the script has very many sruns at once");
    answer.at_rest &= !moved;
    return {};
}

void Steps::job_ends() {
    m_paused = true;
    m_socket.wait_for(k_nothing);
    for (Step& step : m_steps) {
        step.pause();
        step.job_ends(true);
    }
}

void Steps::go_on() {
    const bool waits = std::exchange(m_restoring, false) && !m_waiting.empty();
    if (!std::exchange(m_paused, false) && !waits) return;
    m_socket.wait_for(EPOLLIN);
    for (Step& step : m_steps)
        step.job_ends(false);
    for (Datagram& message : std::exchange(m_waiting, {}))
        obey(std::move(message));
    for (Step& step : m_steps)
        serve(step);
    forget_done();
}

std::vector<std::pair<pid_t, std::uint64_t>> Steps::stand_in_pids() const {
    std::vector<std::pair<pid_t, std::uint64_t>> all;
    for (const Step& step : m_steps)
        if (const auto pid = step.stand_in_pid()) all.emplace_back(*pid, step.stand_in());
    return all;
}

void Steps::keep_ends() {
    m_keeps_ends = true;
    m_may_end.clear();
    go_on();
    for (Step& step : m_steps)
        step.job_ends(true);
}

void Steps::let_end(const std::vector<std::uint64_t>& stand_ins) {
    m_may_end.insert(stand_ins.begin(), stand_ins.end());
}

void Steps::give_ends() {
    if (!std::exchange(m_keeps_ends, false) || m_paused) return;
    for (Step& step : m_steps)
        step.job_ends(false);
    for (Step& step : m_steps)
        serve(step);
    forget_done();
}

void Steps::leave() {
    for (Step& step : m_steps)
        step.signal(SIGKILL);
}

void Steps::restored(const wire::ShimState& state) {
    if (!m_socket) return;
    if (!state.environment.empty()) m_first = state.environment;
    for (const wire::StepRecord& record : state.steps)
        m_records.emplace(record.stand_in, record);
    const Fd dir(::open(m_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names = dir ? list_dir(dir.get()) : Result<std::vector<std::string>>();
    for (const std::string& name : names.value_or(std::vector<std::string>()))
        if (const std::uint64_t stand_in = stand_in_at(m_dir + "/" + name)) ask_again(stand_in);
    std::erase_if(m_records, [&](const auto& record) {
        if (m_asked.contains(record.first)) return false;
        m_over.push_back(record.first);
        return true;
    });
    m_restoring = std::ranges::any_of(m_records, [](const auto& record) { return !record.second.ended; });
}

std::vector<std::uint64_t> Steps::stand_ins() const {
    std::vector<std::uint64_t> all;
    for (const Step& step : m_steps)
        if (!step.is_over()) all.push_back(step.stand_in());
    for (const auto& [stand_in, record] : m_records)
        all.push_back(stand_in);
    return all;
}

void Steps::ask_again(std::uint64_t stand_in) {
    for (int tries = 0; tries < k_full_tries; ++tries) {
        const Status sent = send_datagram(m_socket.get(), path_of(stand_in), wire::encode(wire::StepAgain{}));
        if (!sent && sent.error().code == Code::busy) {
            (void)::poll(nullptr, 0, k_full_pause_ms);
            continue;
        }
        if (!sent && sent.error().code == Code::not_found) {
            ::unlink(path_of(stand_in).c_str()); // left by one that was killed
            return;
        }
        break;
    }
    m_asked.insert(stand_in);
}

} // namespace ckpt
