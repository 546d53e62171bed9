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
// processes of the group can: the canary (canary.hpp) sees only what is sent to the group. No clock decides,
// as a busy node may let the canary wait: it is asked, and its answer comes after everything it saw. Pure;
// times are milliseconds of any steady clock.
class ScopeJudge {
public:
    // killpg(2) reaches the members one after the other; by then it has reached them all.
    static constexpr std::int64_t k_settle_ms = 2;
    // A report without a counterpart of ours: two signals had become one here.
    static constexpr std::int64_t k_stale_ms = 50;
    // A canary that does not answer is stopped or worse.
    static constexpr std::int64_t k_patience_ms = 1000;

    struct Judged {
        int signal = 0;
        wire::SignalScope scope = wire::SignalScope::process;
    };

    explicit ScopeJudge(bool has_canary) : m_has_canary(has_canary) {}
    void lose_canary() { m_has_canary = false; }

    void shim_saw(int signal, std::int64_t now);
    void canary_saw(int signal, std::int64_t now);
    // The canary is to be asked now; asked() says that it was, answered() that its answer has come.
    [[nodiscard]] bool wants_to_ask(std::int64_t now) const;
    void asked(std::int64_t now) { m_asked = now; }
    void answered();
    // The next decided signal, in the order of their arrival.
    std::optional<Judged> next(std::int64_t now);
    // Time until wants_to_ask() or next() can say more, nothing when no signal waits.
    [[nodiscard]] std::optional<std::int64_t> wait_ms(std::int64_t now) const;

private:
    struct Seen {
        int signal = 0;
        std::int64_t at = 0;
        bool alone = false; // the canary has not seen it
    };
    bool take_from_canary(const Seen& seen);

    bool m_has_canary;
    std::deque<Seen> m_shim;
    std::vector<Seen> m_canary; // without a counterpart yet
    std::optional<std::int64_t> m_asked;
};

} // namespace ckpt
