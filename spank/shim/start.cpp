// SPDX-License-Identifier: GPL-2.0-or-later
#include "start.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "ending.hpp"
#include "fault/fault.hpp"
#include "hold.hpp"
#include "job_environment.hpp"
#include "say.hpp"
#include "signals.hpp"

namespace ckpt {

namespace {

constexpr int k_forever = -1;
constexpr int k_retry_ms = 5000;
constexpr int k_retries_per_hold = 12;
// For a ckptd that is being restarted. An earlier run of the job may be saved: then it is worth more
// patience.
constexpr int k_return_ms = 5000;
constexpr int k_return_restarted_ms = 60'000;
constexpr int k_return_retry_ms = 200;

// Waits until `fd` is readable (-1: nothing but time) or `limit_ms` have passed; true if readable.
bool wait_readable(int fd, int limit_ms) {
    const auto term = signal_descriptor(one_signal(SIGTERM));
    const bool term_ends_us = term && is_default_or_handled(SIGTERM);
    std::array<pollfd, 2> fds{pollfd{fd, POLLIN, 0}, pollfd{term_ends_us ? term->get() : -1, POLLIN, 0}};
    const std::int64_t end = now_ms() + limit_ms;
    for (;;) {
        const std::int64_t left = limit_ms == k_forever ? -1 : std::max<std::int64_t>(end - now_ms(), 0);
        const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left));
        if (ready > 0 && fds[1].revents != 0) end_as({true, SIGTERM});
        if (ready >= 0) return ready > 0;
    }
}

Error no_answer() {
    return Error{Code::daemon_unreachable, "ckptd does not answer", "see its log on this node", 0};
}

Error unknown_here() {
    return Error{Code::not_found, "ckptd does not know this task",
                 "it was not running when the job started on this node", 0};
}

struct Asked {
    Result<Started> started;
    bool lost = false;    // ckptd was there and went away before it answered
    bool refused = false; // it does not know us
};

// An error of Code::not_found: the connection has ended, or, if `refused`, ckptd does not know us.
Result<Started> await_start(Ckptd& ckptd, bool& refused) {
    const std::int64_t end = now_ms() + wire::k_hello_patience_s * std::int64_t{1000};
    bool limited = true;
    std::optional<wire::AppPlace> place;
    for (;;) {
        const int left = limited ? static_cast<int>(std::max<std::int64_t>(end - now_ms(), 0)) : k_forever;
        if (!wait_readable(ckptd.descriptor(), left)) return tl::unexpected(no_answer());
        CKPT_TRY(FromCkptd message, ckptd.receive(0));
        if (auto* started = std::get_if<Started>(&message)) {
            started->place = std::move(place);
            return std::move(*started);
        }
        if (auto* told = std::get_if<wire::AppPlace>(&message)) place = std::move(*told);
        if (std::holds_alternative<wire::Answer>(message)) {
            refused = true;
            return tl::unexpected(unknown_here());
        }
        // There is no tree yet, so no checkpoint can have us in it: ckptd asks again.
        if (std::holds_alternative<wire::Settle>(message)) ckptd.send(wire::Settled{});
        if (const auto* order = std::get_if<wire::ShimOrder>(&message)) {
            if (order->order == wire::Order::wait) limited = false; // a restore takes as long as it takes
            if (!order->line.empty()) say(order->line);
        }
    }
}

Asked ask_once(Ckptd& ckptd, const Introduction& introduction) {
    if (CKPT_FAULTED("shim.greet"))
        return {tl::unexpected(Error{Code::daemon_unreachable, "connect to ckptd", "", errno})};
    const auto& stdio = introduction.stdio;
    auto greeted = Ckptd::greet({introduction.script,
                                 introduction.status_pipe,
                                 false,
                                 0,
                                 false,
                                 {stdio.begin(), stdio.end()},
                                 introduction.state});
    if (!greeted) return {tl::unexpected(greeted.error())};
    ckptd = std::move(*greeted);
    bool refused = false;
    Asked asked{await_start(ckptd, refused)};
    if (asked.started) return asked;
    ckptd.close();
    asked.refused = refused;
    // One that is being started has us in its queue.
    const bool silent = asked.started.error().code == Code::daemon_unreachable && is_restarted();
    asked.lost = !refused && (asked.started.error().code == Code::not_found || silent);
    if (asked.lost) asked.started = tl::unexpected(no_answer());
    return asked;
}

} // namespace

Result<Started> ask_what_to_start(Ckptd& ckptd, const Introduction& introduction) {
    std::optional<std::int64_t> end; // of our patience with a ckptd that is being restarted
    for (;;) {
        Asked asked = ask_once(ckptd, introduction);
        if (asked.started || asked.refused) return std::move(asked.started);
        if (!end && !asked.lost) return std::move(asked.started); // it was not there in the first place
        if (!end) end = now_ms() + (is_restarted() ? k_return_restarted_ms : k_return_ms);
        if (now_ms() >= *end) return std::move(asked.started);
        wait_readable(-1, k_return_retry_ms);
    }
}

void wait_to_be_ended() {
    for (;;)
        wait_readable(-1, k_forever);
}

Started wait_rather_than_start_over(Ckptd& ckptd, const Introduction& introduction, const Error& why) {
    say(one_line(why) +
        "; an earlier run of this job may have been saved, so it does not start from the beginning");
    const std::int64_t end = now_ms() + k_patience_ms;
    bool complained = false;
    for (int round = 0; round == 0 || now_ms() < end; ++round) {
        if (round % k_retries_per_hold == 0) {
            if (const auto held = hold_job("checkpoint: " + one_line(why)); held) {
                say("the job is requeued and held; release it with scontrol release once ckptd runs");
                wait_to_be_ended();
            } else if (!std::exchange(complained, true)) {
                say(one_line(held.error()) + "; the job waits for ckptd");
            }
        }
        wait_readable(-1, k_retry_ms);
        if (auto started = ask_what_to_start(ckptd, introduction)) return std::move(*started);
    }
    say("neither ckptd nor slurmctld could be asked; the job ends here, its checkpoints are kept");
    end_as({false, k_gave_up});
}

} // namespace ckpt
