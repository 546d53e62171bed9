// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "policy/policy.hpp"
#include "policy/values.hpp"

namespace ckpt {

// Daly's higher-order optimum of the time between checkpoints (J. T. Daly, "A higher order estimate of the
// optimum checkpoint interval for restart dumps", FGCS 22 (2006), eq. 37), in seconds; `cost` = pause of one
// checkpoint.
double daly_interval(double cost_s, double mtbf_s);

// The time until the next checkpoint when `interval` is auto: Daly's optimum, never shorter than what keeps
// the cost under `max_overhead` and never shorter than `min_interval`.
Seconds auto_interval(Seconds last_cost, std::uint32_t nodes, const PolicyAuto& policy, Seconds min_interval);

} // namespace ckpt
