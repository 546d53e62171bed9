// SPDX-License-Identifier: GPL-2.0-or-later
// What of a task's output goes on to slurmstepd, and what is held back because slurmstepd would hold it back,
// where nobody can get at it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckpt {

// slurmstepd passes on whole lines, and of a longer one each k_message bytes as soon as they are there
// (slurmd/slurmstepd/io.c:_task_build_message, common/io_hdr.h: SLURM_IO_MAX_MSG_LEN). Given just that, it
// keeps nothing. Pure.
class HeldLines {
public:
    static constexpr std::size_t k_message = 1024;

    // `whole_lines` false: srun was told --unbuffered, nothing is held back.
    explicit HeldLines(bool whole_lines = true) : m_whole_lines(whole_lines) {}

    void take(std::string_view bytes);
    // Lines of ours, which come between two of the task's.
    void say(std::string_view lines);
    // Nothing more comes: all of it goes on.
    void end();
    void clear();

    // What goes on now; sent() says how much of it did.
    [[nodiscard]] std::string_view ready() const { return std::string_view(m_ready).substr(m_sent); }
    void sent(std::size_t bytes);
    // The beginning of a line.
    [[nodiscard]] const std::string& held() const { return m_line; }

private:
    void add_ready(std::string_view bytes);

    bool m_whole_lines;
    std::string m_ready;
    std::size_t m_sent = 0;
    std::string m_line;
    bool m_within_line = false; // of what went on, or is about to
    std::string m_said;         // waits for the line's end
};

} // namespace ckpt
