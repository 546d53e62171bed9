// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/margin.hpp"

#include <algorithm>
#include <cmath>

namespace ckpt {
namespace {

double seconds_for(std::uint64_t bytes, double measured_bytes_per_s, double unmeasured_bytes_per_s) {
    // Infinite is what was too short to be measured.
    const bool measured = std::isfinite(measured_bytes_per_s) && measured_bytes_per_s > 0;
    return static_cast<double>(bytes) / (measured ? measured_bytes_per_s : unmeasured_bytes_per_s);
}

} // namespace

Seconds time_limit_margin(const CheckpointCost& cost, const PolicyTimeLimit& policy, Seconds allowance) {
    constexpr Seconds k_shortest{1};
    const double predicted_s =
        seconds_for(cost.bytes, cost.dump_bytes_per_s, k_unmeasured_dump_bytes_per_s) +
        seconds_for(cost.bytes, cost.commit_bytes_per_s, k_unmeasured_commit_bytes_per_s);
    const double wanted_s =
        std::ceil(policy.safety * predicted_s + static_cast<double>(policy.reserve.count()));
    // fmin and fmax take the other one for a NaN, so the conversion is defined for any input.
    const double bounded_s = std::fmax(std::fmin(wanted_s, static_cast<double>(k_year.count())), 0.0);
    auto margin = Seconds{static_cast<Seconds::rep>(bounded_s)};
    if (allowance > Seconds::zero()) margin = std::min(margin, allowance / 2);
    return std::max(margin, k_shortest);
}

} // namespace ckpt
