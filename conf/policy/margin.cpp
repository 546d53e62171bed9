// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/margin.hpp"

#include <algorithm>
#include <cmath>
#include <format>

namespace ckpt {
namespace {

Predicted predicted(std::uint64_t bytes, const MeasuredRate& rate, double assumed_bytes_per_s) {
    // Infinite is what was too short to be measured.
    const auto is_known = [](double bytes_per_s) { return std::isfinite(bytes_per_s) && bytes_per_s > 0; };
    Predicted part;
    if (is_known(rate.job))
        part = {Predicted::From::job, rate.job};
    else if (is_known(rate.node))
        part = {Predicted::From::node, rate.node};
    else
        part = {Predicted::From::assumed, assumed_bytes_per_s};
    part.seconds = static_cast<double>(bytes) / part.bytes_per_s;
    return part;
}

// `wanted`, but never more than half the allowance.
Seconds bounded(Seconds wanted, Seconds allowance) {
    constexpr Seconds k_shortest{1};
    if (allowance > Seconds::zero()) wanted = std::min(wanted, allowance / 2);
    return std::max(wanted, k_shortest);
}

// As --time takes it: sbatch rounds seconds up.
std::int64_t whole_minutes(Seconds value) {
    return (value.count() + 59) / 60;
}

} // namespace

LimitMargin limit_margin(const CheckpointCost& cost, const PolicyTimeLimit& policy, Seconds allowance) {
    LimitMargin result;
    result.dump = predicted(cost.bytes, cost.dump, k_unmeasured_dump_bytes_per_s);
    result.commit = predicted(cost.bytes, cost.commit, k_unmeasured_commit_bytes_per_s);
    const double wanted_s =
        std::ceil(policy.safety * (result.dump.seconds + result.commit.seconds) +
                  static_cast<double>(policy.reserve.count()) + static_cast<double>(cost.place.count()));
    // fmin and fmax take the other one for a NaN, so the conversion is defined for any input.
    const double bounded_s = std::fmax(std::fmin(wanted_s, static_cast<double>(k_year.count())), 0.0);
    result.wanted = Seconds{static_cast<Seconds::rep>(bounded_s)};
    result.margin = bounded(result.wanted, allowance);
    return result;
}

LimitMargin limit_margin(const PolicyApp& app, Seconds place, const PolicyTimeLimit& policy,
                         Seconds allowance) {
    LimitMargin result;
    result.wanted = std::min(app.patience + policy.reserve + place, k_year);
    result.margin = bounded(result.wanted, allowance);
    return result;
}

std::optional<Error> short_limit(Seconds limit, const PolicyApp& app, const PolicyTimeLimit& policy) {
    if (limit <= Seconds::zero()) return std::nullopt;
    const LimitMargin margin = limit_margin(app, Seconds::zero(), policy, limit);
    if (margin.wanted <= margin.margin) return std::nullopt;
    return Error{
        Code::limit_short,
        std::format("the program is asked to save itself at half the time limit of {}, {} before its "
                    "end, and may take {} (app.patience)",
                    to_string(limit), to_string(margin.margin), to_string(app.patience)),
        std::format("raise it: --time={}", whole_minutes(2 * margin.wanted)), 0};
}

std::optional<Error> short_limit(Seconds limit, std::uint64_t memory, const PolicyTimeLimit& policy) {
    if (limit <= Seconds::zero()) return std::nullopt;
    const LimitMargin margin = limit_margin({memory, {}, {}, {}}, policy, limit);
    if (margin.wanted <= margin.margin) return std::nullopt;
    return Error{
        Code::limit_short,
        std::format("the last checkpoint begins at half the time limit of {}, {} before its end, and "
                    "may need {}{}",
                    to_string(limit), to_string(margin.margin), to_string(margin.wanted),
                    memory == 0 ? " (time_limit.reserve)" : " with this --mem"),
        std::format("raise it: --time={}", whole_minutes(2 * margin.wanted)), 0};
}

} // namespace ckpt
