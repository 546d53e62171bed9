// SPDX-License-Identifier: GPL-2.0-or-later
// Jobs of one batch task, and what the daemon decides for them.
#pragma once

#include <vector>

#include "daemon/state.hpp"

namespace ckpt::state_test {

constexpr TaskKey k_batch{0xfffffffbU, 0};

template <typename E>
std::vector<E> all(const Effects& effects) {
    std::vector<E> found;
    for (const Effect& effect : effects)
        if (const auto* e = std::get_if<E>(&effect)) found.push_back(*e);
    return found;
}
template <typename E>
bool has(const Effects& effects) {
    return !all<E>(effects).empty();
}

inline Plan plan() {
    Plan p;
    p.enabled.value = true;
    p.interval.value = Seconds(60);
    p.on.value = Triggers{1 | 2 | 4 | 8};
    p.keep.value = 2;
    p.max_restarts.value = 100;
    return p;
}

inline JobState fresh_job() {
    JobState job;
    job.plan = plan();
    advance(job, event::TaskRegistered{k_batch});
    return job;
}

inline JobState running_job() {
    JobState job = fresh_job();
    advance(job, event::ShimArrived{k_batch});
    advance(job, event::TreeStarted{k_batch});
    return job;
}

// The store has this one to start from.
inline event::AdoptEnded found_generation(std::uint32_t generation) {
    event::AdoptEnded found;
    found.task = k_batch;
    found.found = event::AdoptEnded::Found::generation;
    found.generation = generation;
    return found;
}

inline Error some_error() {
    return {Code::dump_failed, "criu said no", "", 0};
}

} // namespace ckpt::state_test
