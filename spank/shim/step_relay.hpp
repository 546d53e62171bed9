// SPDX-License-Identifier: GPL-2.0-or-later
// Between the real srun and the streams of its stand-in: what srun has written and nobody has read yet stays
// with the shim when the tree is dumped, and not with srun, which the dump does not see.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "result/result.hpp"
#include "step_stream.hpp"
#include "watched.hpp"

namespace ckpt {

// srun's standard output or error.
class OutRelay {
public:
    OutRelay() = default;
    // `from`: read end of a pipe, non-blocking; may be none. `before`: bytes that come first.
    OutRelay(Watched from, StepStream to, std::string before)
        : m_from(std::move(from)), m_to(std::move(to)), m_bytes(std::move(before)) {}

    // Passes on what it can; srun is held up when the reader does not read.
    void run();
    // Passes on what it can, and takes in whatever srun has written. `moved`: there was something.
    // Code::dump_refused when there is more than can be kept.
    Status settle(bool& moved);
    void pause();
    // What srun says from now on about the end that Slurm prepares for it is left out.
    void job_ends(bool ends) { m_job_ends = ends; }
    [[nodiscard]] std::string_view undelivered() const { return std::string_view(m_bytes).substr(m_start); }
    // Of all that srun has written so far nothing is left.
    [[nodiscard]] bool is_drained() const;
    // ... and nothing can come any more.
    [[nodiscard]] bool is_over() const { return !m_from && undelivered().empty(); }

private:
    bool take();
    bool deliver();
    void leave_notices_out();
    void lose_reader();
    void watch();

    Watched m_from;
    StepStream m_to;
    std::string m_bytes;
    std::size_t m_start = 0;   // of what is undelivered in m_bytes
    bool m_line_begins = true; // there
    bool m_job_ends = false;
};

// srun's standard input: read as srun takes it, and no further.
class InRelay {
public:
    InRelay() = default;
    // `to`: write end of a pipe, non-blocking. `before`: bytes that come first. `ended`: nothing comes after.
    InRelay(StepStream from, Watched to, std::string before, bool ended);

    void run();
    // Reads nothing; passes on what is here already. True when srun has taken something since the last call.
    bool settle();
    void pause();
    // Read, and not taken by srun. Right while srun sleeps.
    [[nodiscard]] std::string untaken() const;
    [[nodiscard]] bool has_ended() const { return m_source_ended; }
    // srun has ended: a file is as if what srun has not taken had not been read. What was read of anything
    // else is returned: it is lost, or for an srun that is run once more.
    std::string stop();

private:
    bool feed();
    bool read_more();
    [[nodiscard]] bool can_write() const;
    [[nodiscard]] std::size_t in_pipe() const;
    void end_pipe();
    void watch();

    StepStream m_from;
    Watched m_to;
    Fd m_probe;          // read end of the pipe when its write end is closed: how much is in it
    std::string m_bytes; // not in the pipe yet
    std::size_t m_start = 0;
    std::string m_last; // what was put into the pipe last, at least as much as it holds
    std::size_t m_capacity = 0;
    std::size_t m_in_pipe = 0; // at the last settle()
    bool m_source_ended = false;
};

} // namespace ckpt
