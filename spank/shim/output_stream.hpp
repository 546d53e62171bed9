// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>

#include <string>
#include <string_view>
#include <vector>

#include "held_lines.hpp"
#include "os/fd.hpp"
#include "pipe_end.hpp"
#include "result/result.hpp"

namespace ckpt {

// Standard output or error of a step's tree on its way to slurmstepd. At most about three pipes full are
// here: a tree whose output is not taken has to wait.
class OutputStream {
public:
    OutputStream() = default; // relays nothing
    // `slurms`: the descriptor that slurmstepd has given to the task.
    static Result<OutputStream> open(int slurms, bool whole_lines);

    explicit operator bool() const { return static_cast<bool>(m_tree); }
    // The end that the tree gets; once it has started, what names the pipe and keeps nobody waiting.
    [[nodiscard]] int number() const { return m_tree.get(); }
    Status tree_started() { return leave_mark(m_tree); }
    void restore(std::string_view held) { m_lines.take(held); }

    // k_polled entries.
    static constexpr std::size_t k_polled = 2;
    void add_to(std::vector<pollfd>& fds) const;
    void serve(const pollfd* fds);
    void say(std::string_view lines);

    // Takes all that the tree has written and passes on what goes on. At rest: there was nothing to take or
    // to pass on, and slurmstepd has taken what came before.
    Status settle(bool& at_rest);
    [[nodiscard]] const std::string& held() const { return m_lines.held(); }
    // The tree has ended: all of its output goes on.
    void end();
    [[nodiscard]] bool is_done() const { return !m_to || m_lines.ready().empty(); }
    // As much as slurmstepd takes now; true when that is anything.
    bool forward();

private:
    // slurmstepd reads no more: the tree's next write fails, as it would have without us.
    void close();
    bool take();

    Fd m_tree;
    PipeEnd m_from;
    PipeEnd m_to;
    HeldLines m_lines;
};

} // namespace ckpt
