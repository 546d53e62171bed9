// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/interval.hpp"

#include <algorithm>
#include <cmath>

namespace ckpt {
namespace {

// What parse_duration accepts at most; also keeps the conversion to Seconds defined for any input.
constexpr double k_longest_s = 365.0 * 24 * 3600;

} // namespace

double daly_interval(double cost_s, double mtbf_s) {
    // Beyond this the series does not hold; Daly then takes the mean time between failures itself.
    if (cost_s >= 2 * mtbf_s) return mtbf_s;
    const double ratio = cost_s / (2 * mtbf_s);
    return std::sqrt(2 * cost_s * mtbf_s) * (1 + std::sqrt(ratio) / 3 + ratio / 9) - cost_s;
}

Seconds auto_interval(Seconds last_cost, std::uint32_t nodes, const PolicyAuto& policy,
                      Seconds min_interval) {
    // A pause is measured in whole seconds and never free: with zero the optimum would be to never stop
    // saving.
    const double cost_s = std::max<double>(static_cast<double>(last_cost.count()), 1);
    // Any node's failure ends the job, so a job on n nodes fails n times as often as one node.
    const double mtbf_s = std::max(static_cast<double>(policy.node_mtbf.count()) / std::max(nodes, 1U), 1.0);
    const double share = std::clamp(policy.max_overhead, 1e-6, 1.0);
    const double affordable_s = cost_s * (1 / share - 1);
    const double wanted_s = std::ceil(std::max(daly_interval(cost_s, mtbf_s), affordable_s));
    const auto wanted = Seconds{static_cast<Seconds::rep>(std::min(wanted_s, k_longest_s))};
    return std::max(wanted, min_interval);
}

} // namespace ckpt
