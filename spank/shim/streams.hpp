// SPDX-License-Identifier: GPL-2.0-or-later
// The standard streams of a step's tree. Its shim stands between it and slurmstepd, so that a checkpoint
// finds every byte either with the tree or in the shim.
#pragma once

#include <poll.h>

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "input_stream.hpp"
#include "output_stream.hpp"
#include "result/result.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

class Streams {
public:
    Streams() = default; // relays nothing: the tree has Slurm's own
    // Those of `slurms` (standard input, output, error) that are pipes are relayed. Code::os.
    static Result<Streams> open(const std::array<int, 3>& slurms, bool whole_lines);

    // The tree's, as numbers in this process. Once it has started they only name what it has.
    [[nodiscard]] std::array<int, 3> stdio() const;
    // It has its ends now: gives up ours.
    Status tree_started();
    // Before anything else is passed on.
    void restored(const wire::StreamsRecord& record);

    // k_polled entries, which serve() gets back in that order.
    void add_to(std::vector<pollfd>& fds) const;
    void serve(std::span<const pollfd> fds);
    static constexpr std::size_t k_polled = InputStream::k_polled + 2 * OutputStream::k_polled;

    // Standard error goes through here, and say() puts our lines between the tree's.
    [[nodiscard]] bool carries_errors() const { return static_cast<bool>(m_err); }
    void say(std::string_view lines);

    // While the tree stands still: passes on what can be, and fills state.streams. `at_rest` becomes false
    // when something has moved, or still has to. From here on nothing moves but in settle(), until go_on().
    // Code::dump_unfit, Code::os.
    Status settle(wire::ShimState& state, bool& at_rest);
    void go_on();
    [[nodiscard]] bool are_paused() const { return m_paused; }

    // The tree has ended: what it has written goes on, as soon as nothing is paused.
    void tree_ended();
    // There is nothing, or nobody, to pass anything on to.
    [[nodiscard]] bool are_done() const { return m_out.is_done() && m_err.is_done() && !m_paused; }
    // What has been written is in a checkpoint already: only lines of ours go on.
    void leave();

private:
    void pass_on_the_end();

    std::array<int, 3> m_slurms{0, 1, 2};
    InputStream m_in;
    OutputStream m_out;
    OutputStream m_err;
    bool m_paused = false;
    bool m_tree_ended = false;
};

} // namespace ckpt
