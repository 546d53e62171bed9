// SPDX-License-Identifier: GPL-2.0-or-later
// Was a signal sent to the shim alone, or to its whole process group?
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "wire/init_protocol.hpp"

namespace ckpt {

// slurmstepd signals a batch script with kill(2) and, for scancel --full, with killpg(2) (slurm
// src/slurmd/slurmstepd/req.c:_handle_signal_container). A process cannot tell one from the other, but two
// processes of the group can: the canary (canary.hpp) sees only what is sent to the group. Pure; times are
// milliseconds of any steady clock.
class ScopeJudge {
public:
    // How far apart the two may notice one signal on a busy node.
    static constexpr std::int64_t k_window_ms = 20;

    struct Judged {
        int signal = 0;
        wire::SignalScope scope = wire::SignalScope::process;
    };

    explicit ScopeJudge(bool has_canary) : m_has_canary(has_canary) {}
    void lose_canary() { m_has_canary = false; }

    void shim_saw(int signal, std::int64_t now);
    void canary_saw(int signal, std::int64_t now);
    // The next decided signal, in the order of their arrival.
    std::optional<Judged> next(std::int64_t now);
    // Time until next() can say more, nothing when no signal waits.
    [[nodiscard]] std::optional<std::int64_t> wait_ms(std::int64_t now) const;

private:
    struct Seen {
        int signal = 0;
        std::int64_t at = 0;
    };
    bool take_from_canary(const Seen& seen);

    bool m_has_canary;
    std::deque<Seen> m_shim;
    std::vector<Seen> m_canary; // without a counterpart yet
};

} // namespace ckpt
