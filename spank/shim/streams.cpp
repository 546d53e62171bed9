// SPDX-License-Identifier: GPL-2.0-or-later
#include "streams.hpp"

namespace ckpt {

Result<Streams> Streams::open(const std::array<int, 3>& slurms, bool whole_lines) {
    Streams streams;
    streams.m_slurms = slurms;
    if (is_pipe(slurms[0])) {
        CKPT_TRY(streams.m_in, InputStream::open(slurms[0]));
    }
    if (is_pipe(slurms[1])) {
        CKPT_TRY(streams.m_out, OutputStream::open(slurms[1], whole_lines));
    }
    if (is_pipe(slurms[2])) {
        CKPT_TRY(streams.m_err, OutputStream::open(slurms[2], whole_lines));
    }
    return streams;
}

std::array<int, 3> Streams::stdio() const {
    return {m_in ? m_in.number() : m_slurms[0], m_out ? m_out.number() : m_slurms[1],
            m_err ? m_err.number() : m_slurms[2]};
}

Status Streams::tree_started() {
    if (m_in) CKPT_CHECK(m_in.tree_started());
    if (m_out) CKPT_CHECK(m_out.tree_started());
    if (m_err) CKPT_CHECK(m_err.tree_started());
    return {};
}

void Streams::restored(const wire::StreamsRecord& record) {
    m_out.restore(record.out);
    m_err.restore(record.err);
    m_in.restore(record.in, record.in_ended);
}

void Streams::add_to(std::vector<pollfd>& fds) const {
    if (m_paused) {
        fds.insert(fds.end(), k_polled, pollfd{-1, 0, 0});
        return;
    }
    m_in.add_to(fds);
    m_out.add_to(fds);
    m_err.add_to(fds);
}

void Streams::serve(std::span<const pollfd> fds) {
    if (m_paused || fds.size() < k_polled) return;
    m_in.serve(fds.data());
    m_out.serve(fds.data() + InputStream::k_polled);
    m_err.serve(fds.data() + InputStream::k_polled + OutputStream::k_polled);
}

void Streams::say(std::string_view lines) {
    m_err.say(lines);
    if (!m_paused) m_err.forward();
}

Status Streams::settle(wire::ShimState& state, bool& at_rest) {
    m_paused = true;
    if (m_tree_ended) {
        m_out.end();
        m_err.end();
    }
    CKPT_CHECK(m_out.settle(at_rest));
    CKPT_CHECK(m_err.settle(at_rest));
    CKPT_CHECK(m_in.settle(at_rest));
    state.streams.out = m_out.held();
    state.streams.err = m_err.held();
    CKPT_TRY(state.streams.in, m_in.unread());
    state.streams.in_ended = m_in.has_ended();
    return {};
}

void Streams::go_on() {
    m_paused = false;
    pass_on_the_end();
}

void Streams::tree_ended() {
    m_tree_ended = true;
    pass_on_the_end();
}

void Streams::pass_on_the_end() {
    if (!m_tree_ended || m_paused) return;
    m_out.end();
    m_err.end();
}

void Streams::leave() {
    if (m_paused) m_err.forward();
}

} // namespace ckpt
