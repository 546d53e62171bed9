// SPDX-License-Identifier: GPL-2.0-or-later
#include "output_stream.hpp"

#include <fcntl.h>

#include "os/files.hpp"

namespace ckpt {

namespace {
// More than any pipe of a user holds (pipe-max-size); a tree that does not stand still has no end.
constexpr std::size_t k_settle_max = std::size_t{8} * 1024 * 1024;
} // namespace

Result<OutputStream> OutputStream::open(int slurms, bool whole_lines) {
    OutputStream stream;
    CKPT_TRY(stream.m_to, PipeEnd::of(slurms, O_WRONLY));
    CKPT_TRY(Pipe pipe, make_pipe());
    stream.m_tree = std::move(pipe.write);
    stream.m_from = PipeEnd::of_our_own(std::move(pipe.read));
    stream.m_lines = HeldLines(whole_lines);
    return stream;
}

void OutputStream::add_to(std::vector<pollfd>& fds) const {
    const bool wants_more = m_lines.ready().size() < k_pipe_chunk;
    fds.push_back({wants_more ? m_from.get() : -1, POLLIN, 0});
    const short room = m_lines.ready().empty() ? 0 : POLLOUT;
    fds.push_back({m_to.get(), room, 0}); // without an event as well: the end of its reader is told
}

void OutputStream::serve(const pollfd* fds) {
    if (fds[0].revents != 0 && m_from) take();
    if ((fds[1].revents & POLLERR) != 0) return close();
    if (fds[0].revents != 0 || fds[1].revents != 0) forward();
}

void OutputStream::say(std::string_view lines) {
    m_lines.say(lines);
}

bool OutputStream::take() {
    std::string bytes;
    const Transfer got = m_from.read(bytes);
    m_lines.take(bytes);
    // The tree may have closed it long before its end. slurmstepd is not told: it would pass on the beginning
    // of a line, and could not be asked for it again.
    if (got.ended) m_from.reset();
    return got.bytes > 0;
}

bool OutputStream::forward() {
    if (!m_to || m_lines.ready().empty()) return false;
    const Transfer gone = m_to.write(m_lines.ready());
    m_lines.sent(gone.bytes);
    if (gone.ended) close();
    return gone.bytes > 0;
}

void OutputStream::close() {
    m_from.reset();
    m_to.reset();
    m_lines.clear();
}

Status OutputStream::settle(bool& at_rest) {
    if (!*this) return {};
    if (m_to && m_to.is_broken()) close();
    bool has_moved = false;
    while (m_from && take()) {
        has_moved = true;
        if (m_lines.ready().size() > k_settle_max)
            return fail(Code::dump_unfit, "a task's output does not end", "try again");
    }
    has_moved |= forward();
    if (has_moved || !is_done() || (m_to && m_to.unread() > 0)) at_rest = false;
    return {};
}

void OutputStream::end() {
    while (m_from && take()) {
    }
    m_from.reset();
    m_lines.end();
    forward();
}

} // namespace ckpt
