// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "os/fd.hpp"
#include "pipe_end.hpp"
#include "result/result.hpp"

namespace ckpt {

// Standard input of a step's tree on its way from slurmstepd. What slurmstepd has read of it can be had again
// from nobody, so all of it comes here before a checkpoint.
class InputStream {
public:
    // The most that a checkpoint takes along.
    static constexpr std::size_t k_settle_max = std::size_t{8} * 1024 * 1024;

    InputStream() = default; // relays nothing
    static Result<InputStream> open(int slurms);

    explicit operator bool() const { return static_cast<bool>(m_tree); }
    // As OutputStream.
    [[nodiscard]] int number() const { return m_tree.get(); }
    Status tree_started() { return leave_mark(m_tree); }
    // The tree reads this before anything else.
    void restore(std::string bytes, bool ended);

    static constexpr std::size_t k_polled = 2;
    void add_to(std::vector<pollfd>& fds) const;
    void serve(const pollfd* fds);

    // Takes all that slurmstepd has delivered and gives nothing to the tree. At rest: there was nothing.
    Status settle(bool& at_rest);
    // What is in the tree's pipe, where it stays, and here.
    [[nodiscard]] Result<std::string> unread() const;
    [[nodiscard]] bool has_ended() const { return m_ended; }

private:
    bool take();
    void give();
    // The tree reads no more. slurmstepd goes on, as its queue would otherwise fill and never be at rest.
    void drop();

    Fd m_tree;
    PipeEnd m_from;
    PipeEnd m_to;
    std::string m_bytes;
    bool m_ended = false;
    bool m_dropped = false;
};

} // namespace ckpt
