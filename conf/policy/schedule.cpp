// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/schedule.hpp"

#include <algorithm>

#include "policy/spread.hpp"

namespace ckpt {

namespace {

using Rule = Schedule::Rule;
constexpr Seconds k_soonest{1};
// Behind the last one: then the limit was moved, and the time has to be chosen anew.
constexpr Seconds k_behind_last{60};

// The job's own place in what `share` of `delay` is; another one for each of its checkpoints.
Seconds jitter_of(const ScheduleFacts& facts, Seconds delay, double share) {
    constexpr std::uint32_t k_odd = 0x9e3779b1U; // Knuth's multiplicative hashing
    const double most = static_cast<double>(delay.count()) * std::clamp(share, 0.0, 0.5);
    return place_in(Seconds{static_cast<Seconds::rep>(most)},
                    facts.job_id ^ ((facts.generation + 1) * k_odd));
}

void align(Schedule& schedule, Seconds until_last, Seconds min_interval) {
    const auto parts = [until_last](Seconds part) { return until_last / std::max(part, k_soonest); };
    // Rounded up, but no more than there is room for.
    Seconds::rep count = parts(schedule.interval) + (until_last % schedule.interval > Seconds{0} ? 1 : 0);
    count = std::max<Seconds::rep>(std::min(count, parts(min_interval)), 1);
    schedule.parts = static_cast<std::uint32_t>(std::min<Seconds::rep>(count, UINT32_MAX));
    schedule.rule = count == 1 ? Rule::last : Rule::aligned;
    schedule.delay =
        count == 1 ? std::max(schedule.interval, until_last + k_behind_last) : until_last / count;
}

} // namespace

Schedule next_checkpoint(const ScheduleFacts& facts, const PolicyAuto& policy, Seconds min_interval) {
    Schedule schedule;
    const bool is_auto = std::holds_alternative<IntervalAuto>(facts.interval);
    schedule.automatic = auto_interval(facts.last_cost, facts.nodes, policy, min_interval);
    if (is_auto) schedule.interval = schedule.automatic.interval;
    if (const auto* fixed = std::get_if<Seconds>(&facts.interval))
        schedule.interval = std::max(*fixed, min_interval);
    const bool is_named = std::holds_alternative<Seconds>(facts.interval);
    if (!is_named && facts.allowance > Seconds{0} && facts.allowance < policy.min_run_time) {
        schedule.rule = Rule::too_short;
        return schedule;
    }
    if (schedule.interval > Seconds{0}) {
        schedule.rule = Rule::interval;
        schedule.delay = schedule.interval;
        if (facts.until_last > Seconds{0}) align(schedule, facts.until_last, min_interval);
        if (schedule.rule != Rule::last) {
            schedule.jitter = jitter_of(facts, schedule.delay, policy.jitter);
            schedule.jitter =
                std::clamp(schedule.jitter, Seconds{0}, std::max(schedule.delay - min_interval, Seconds{0}));
            schedule.delay = std::max(schedule.delay - schedule.jitter, k_soonest);
        }
    }
    if (facts.generation != 0 || policy.first <= Seconds{0}) return schedule;
    const Seconds first = std::max(policy.first - facts.since_start, k_soonest);
    const bool is_before_last = facts.until_last <= Seconds{0} || first < facts.until_last;
    const bool is_sooner = schedule.delay <= Seconds{0} || first < schedule.delay;
    if (!is_before_last || !is_sooner) return schedule;
    schedule.rule = Rule::first;
    schedule.jitter = Seconds{0};
    schedule.delay = first;
    return schedule;
}

} // namespace ckpt
