// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_relay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace ckpt {

namespace {

constexpr std::size_t k_kept = std::size_t{64} * 1024; // as much as a pipe holds: then srun is held up
constexpr std::size_t k_kept_max = std::size_t{8} * 1024 * 1024; // while everything is to come to rest
constexpr int k_ahead = 4096; // of standard input, which nobody else can read then

constexpr std::uint32_t k_readable = EPOLLIN;
constexpr std::uint32_t k_writable = EPOLLOUT;
constexpr std::uint32_t k_broken = EPOLLERR;

std::size_t bytes_in(int pipe) {
    int n = 0;
    return ::ioctl(pipe, FIONREAD, &n) == 0 && n > 0 ? static_cast<std::size_t>(n) : 0;
}

// slurm src/api/step_launch.c:slurm_step_launch_wait_finish,
// src/slurmd/slurmstepd/req.c:_handle_signal_container.
bool is_notice(std::string_view line) {
    return line.starts_with("srun: Job step aborted: ") ||
           (line.starts_with("slurmstepd") && line.find(": error: *** STEP ") != std::string_view::npos);
}

void drop_front(std::string& bytes, std::size_t& start, std::size_t count) {
    start += count;
    if (start < bytes.size() && start < k_kept) return;
    bytes.erase(0, start);
    start = 0;
}

// Up to PIPE_BUF, and whole lines if there are any: written to a pipe in one piece (pipe(7)), so that lines
// of several sruns that share one are not torn, as they are not natively.
std::string_view next_piece(std::string_view bytes) {
    if (bytes.size() <= PIPE_BUF) return bytes;
    const std::string_view piece = bytes.substr(0, PIPE_BUF);
    const std::size_t line = piece.rfind('\n');
    return line == std::string_view::npos ? piece : piece.substr(0, line + 1);
}

} // namespace

// All that is there: what srun has written in one piece stays in one.
bool OutRelay::take() {
    if (!m_from) return false;
    const std::size_t old = m_bytes.size();
    const std::size_t there = std::max<std::size_t>(bytes_in(m_from.get()), 1);
    m_bytes.resize(old + there);
    ssize_t n = 0;
    while ((n = ::read(m_from.get(), m_bytes.data() + old, there)) < 0 && errno == EINTR) {
    }
    m_bytes.resize(old + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0 || (n < 0 && errno != EAGAIN)) m_from.reset();
    return n > 0;
}

bool OutRelay::deliver() {
    bool some = false;
    while (!undelivered().empty()) {
        const ssize_t n = m_to ? m_to.write(next_piece(undelivered())) : -1;
        if (n < 0 && m_to && (errno == EAGAIN || errno == EINTR)) return some;
        if (n < 0) {
            lose_reader();
            return some;
        }
        if (n > 0) m_line_begins = undelivered()[static_cast<std::size_t>(n) - 1] == '\n';
        drop_front(m_bytes, m_start, static_cast<std::size_t>(n));
        some = true;
    }
    return some;
}

// They come between the SIGTERM and the checkpoint of which the job goes on, where nothing has ended.
void OutRelay::leave_notices_out() {
    for (std::size_t line = m_start; line < m_bytes.size();) {
        const std::size_t end = m_bytes.find('\n', line);
        const bool begins = line > m_start || m_line_begins;
        const std::size_t length = end == std::string::npos ? end : end - line + 1;
        if (begins && is_notice(std::string_view(m_bytes).substr(line, length)))
            m_bytes.erase(line, length);
        else if (end == std::string::npos)
            return;
        else
            line = end + 1;
    }
}

// srun learns it as it would without us: with its next write.
void OutRelay::lose_reader() {
    m_from.reset();
    m_to.close();
    m_bytes.clear();
    m_start = 0;
}

void OutRelay::run() {
    if (m_to && m_to.has_no_reader()) lose_reader();
    for (bool moved = true; moved;) {
        moved = deliver();
        if (undelivered().size() < k_kept) moved |= take();
    }
    watch();
}

void OutRelay::watch() {
    const bool full = undelivered().size() >= k_kept;
    m_from.wait_for(full ? k_nothing : k_readable);
    if (!undelivered().empty())
        (void)m_to.wait_for(k_writable);
    else
        (void)m_to.wait_for(m_from && m_to.is_pipe() ? k_broken : k_nothing);
}

Status OutRelay::settle(bool& moved) {
    pause();
    if (m_to && m_to.has_no_reader()) lose_reader();
    deliver();
    while (undelivered().size() <= k_kept_max && take())
        moved = true;
    if (m_job_ends) leave_notices_out();
    deliver();
    if (undelivered().size() > k_kept_max)
        return fail(Code::dump_refused, "more than 8 MiB of a step's output wait for their reader",
                    "let what srun is piped into read on");
    return {};
}

void OutRelay::pause() {
    m_from.wait_for(k_nothing);
    m_to.wait_for(k_nothing);
}

bool OutRelay::is_drained() const {
    return undelivered().empty() && (!m_from || bytes_in(m_from.get()) == 0);
}

InRelay::InRelay(StepStream from, Watched to, std::string before, bool ended)
    : m_from(std::move(from)), m_to(std::move(to)), m_bytes(std::move(before)), m_source_ended(ended) {
    (void)::fcntl(m_to.get(), F_SETPIPE_SZ, k_ahead);
    m_capacity = static_cast<std::size_t>(std::max(::fcntl(m_to.get(), F_GETPIPE_SZ), k_ahead));
}

bool InRelay::can_write() const {
    pollfd look{m_to.get(), POLLOUT, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLOUT | POLLERR)) == POLLOUT;
}

std::size_t InRelay::in_pipe() const {
    if (m_probe) return bytes_in(m_probe.get());
    return m_to ? bytes_in(m_to.get()) : 0;
}

bool InRelay::feed() {
    bool some = false;
    while (m_to && m_start < m_bytes.size()) {
        const std::string_view piece = std::string_view(m_bytes).substr(m_start, PIPE_BUF);
        if (!can_write()) break;
        const ssize_t n = ::write(m_to.get(), piece.data(), piece.size());
        if (n <= 0) break;
        m_last.append(piece.substr(0, static_cast<std::size_t>(n)));
        if (m_last.size() > 2 * m_capacity) m_last.erase(0, m_last.size() - m_capacity);
        drop_front(m_bytes, m_start, static_cast<std::size_t>(n));
        some = true;
    }
    return some;
}

bool InRelay::read_more() {
    if (m_source_ended || m_start < m_bytes.size() || !can_write()) return false;
    std::array<char, k_ahead> bytes{};
    const ssize_t n = m_from ? m_from.read(bytes) : 0;
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) m_source_ended = true; // an error is the end for srun (slurm api/step_io.c:_file_read)
    if (n > 0) m_bytes.append(bytes.data(), static_cast<std::size_t>(n));
    return n > 0;
}

void InRelay::end_pipe() {
    const std::string path = "/proc/self/fd/" + std::to_string(m_to.get());
    m_probe = Fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    m_to.reset();
}

void InRelay::run() {
    if (!m_to) return;
    pollfd look{m_to.get(), 0, 0};
    if (::poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0) { // srun has closed it
        (void)stop();
        return;
    }
    for (bool moved = true; moved;) {
        moved = feed();
        moved |= read_more();
    }
    if (m_source_ended && m_start == m_bytes.size()) return end_pipe();
    watch();
}

void InRelay::watch() {
    // srun may have made room since we looked. A file cannot be waited for: there it is the room that is.
    const bool wanted = m_start == m_bytes.size() && can_write();
    const bool waits = m_from.wait_for(wanted ? k_readable : k_nothing) && wanted;
    m_to.wait_for(waits ? k_broken : k_writable);
}

bool InRelay::settle() {
    pause();
    const bool fed = feed();
    if (m_to && m_source_ended && m_start == m_bytes.size()) end_pipe();
    const std::size_t before = std::exchange(m_in_pipe, in_pipe());
    return fed || before != m_in_pipe;
}

void InRelay::pause() {
    (void)m_from.wait_for(k_nothing);
    m_to.wait_for(k_nothing);
}

std::string InRelay::untaken() const {
    const std::size_t there = std::min(in_pipe(), m_last.size());
    return m_last.substr(m_last.size() - there) + m_bytes.substr(m_start);
}

std::string InRelay::stop() {
    std::string left = untaken();
    if (m_from && m_from.step_back(left.size())) { // whoever reads it next reads that
        left.clear();
        m_source_ended = false;
    }
    m_from.close();
    m_probe.reset();
    m_to.reset();
    m_bytes.clear();
    m_start = 0;
    return left;
}

} // namespace ckpt
