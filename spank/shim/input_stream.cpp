// SPDX-License-Identifier: GPL-2.0-or-later
#include "input_stream.hpp"

#include <fcntl.h>

#include "os/files.hpp"

namespace ckpt {

Result<InputStream> InputStream::open(int slurms) {
    InputStream stream;
    CKPT_TRY(stream.m_from, PipeEnd::of(slurms, O_RDONLY));
    CKPT_TRY(Pipe pipe, make_pipe());
    stream.m_tree = std::move(pipe.read);
    stream.m_to = PipeEnd::of_our_own(std::move(pipe.write));
    return stream;
}

void InputStream::restore(std::string bytes, bool ended) {
    m_bytes = std::move(bytes);
    m_ended = ended;
    if (m_to) give();
}

void InputStream::add_to(std::vector<pollfd>& fds) const {
    const bool wants_more = !m_ended && m_bytes.size() < k_pipe_chunk;
    fds.push_back({wants_more ? m_from.get() : -1, POLLIN, 0});
    const short room = m_bytes.empty() ? 0 : POLLOUT;
    fds.push_back({m_to.get(), room, 0}); // without an event as well: the end of its reader is told
}

void InputStream::serve(const pollfd* fds) {
    if ((fds[1].revents & POLLERR) != 0) drop();
    if (fds[0].revents != 0 && !m_ended) take();
    if (m_to) give();
}

bool InputStream::take() {
    const Transfer got = m_from.read(m_bytes);
    m_ended = got.ended;
    if (m_dropped) m_bytes.clear();
    return got.bytes > 0;
}

void InputStream::give() {
    if (!m_bytes.empty()) {
        const Transfer gone = m_to.write(m_bytes);
        m_bytes.erase(0, gone.bytes);
        if (gone.ended) return drop();
    }
    if (m_ended && m_bytes.empty()) m_to.reset();
}

void InputStream::drop() {
    m_to.reset();
    m_bytes.clear();
    m_dropped = true;
}

Status InputStream::settle(bool& at_rest) {
    if (!*this) return {};
    if (m_to && m_to.is_broken()) drop();
    bool has_moved = false;
    while (!m_ended && take()) {
        has_moved = true;
        if (m_bytes.size() > k_settle_max)
            return fail(Code::dump_unfit,
                        "more than 8 MiB of standard input wait for a task of a step that does not read it",
                        "let the step read from a file, or its producer wait");
    }
    if (has_moved || (!m_ended && m_from.unread() > 0)) at_rest = false;
    return {};
}

Result<std::string> InputStream::unread() const {
    if (!*this || m_dropped) return std::string();
    CKPT_TRY(const std::string bytes, look_into_pipe(m_tree));
    return bytes + m_bytes;
}

} // namespace ckpt
