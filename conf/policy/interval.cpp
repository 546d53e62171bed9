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

AutoInterval auto_interval(Seconds last_cost, std::uint32_t nodes, const PolicyAuto& policy,
                           Seconds min_interval) {
    AutoInterval result;
    // A pause is measured in whole seconds and never free: with zero the optimum would be to never stop
    // saving.
    result.cost_s = std::max<double>(static_cast<double>(last_cost.count()), 1);
    // Any node's failure ends the job, so a job on n nodes fails n times as often as one node.
    result.mtbf_s = std::max(static_cast<double>(policy.node_mtbf.count()) / std::max(nodes, 1U), 1.0);
    const double share = std::clamp(policy.max_overhead, 1e-6, 1.0);
    result.optimum_s = daly_interval(result.cost_s, result.mtbf_s);
    result.affordable_s = result.cost_s * (1 / share - 1);
    const double wanted_s = std::ceil(std::max(result.optimum_s, result.affordable_s));
    const auto wanted = Seconds{static_cast<Seconds::rep>(std::min(wanted_s, k_longest_s))};
    result.interval = std::max(wanted, min_interval);
    return result;
}

} // namespace ckpt
