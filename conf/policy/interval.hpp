// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "policy/policy.hpp"
#include "policy/values.hpp"

namespace ckpt {

// Daly's higher-order optimum of the time between checkpoints (J. T. Daly, "A higher order estimate of the
// optimum checkpoint interval for restart dumps", FGCS 22 (2006), eq. 37), in seconds; `cost` = pause of one
// checkpoint.
double daly_interval(double cost_s, double mtbf_s);

// The time until the next checkpoint when `interval` is auto, and what it comes from; all in seconds.
struct AutoInterval {
    double cost_s = 0;       // of one checkpoint, at least one second
    double mtbf_s = 0;       // of the job: that of a node by the number of nodes
    double optimum_s = 0;    // Daly's
    double affordable_s = 0; // shorter would cost more than max_overhead
    Seconds interval{0};     // the longest of these and of min_interval, rounded up, at most a year
};
AutoInterval auto_interval(Seconds last_cost, std::uint32_t nodes, const PolicyAuto& policy,
                           Seconds min_interval);

} // namespace ckpt
