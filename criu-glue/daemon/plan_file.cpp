// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan_file.hpp"

#include <initializer_list>

namespace ckpt {

namespace {

constexpr std::int64_t k_auto = -1;

std::int64_t number_of(const Interval& interval) {
    if (const auto* fixed = std::get_if<Seconds>(&interval)) return fixed->count();
    return std::holds_alternative<IntervalAuto>(interval) ? k_auto : 0;
}

Interval interval_of(std::int64_t number) {
    if (number == k_auto) return IntervalAuto{};
    if (number <= 0) return IntervalNone{};
    return Seconds(number);
}

// Each member of a plan with the origin that belongs to it.
template <typename P, typename F>
void for_each_origin(P& plan, F&& f) {
    for (auto* origin : {&plan.enabled.origin, &plan.interval.origin, &plan.base.origin, &plan.on.origin,
                         &plan.method.origin, &plan.keep.origin, &plan.max_restarts.origin,
                         &plan.restore.origin, &plan.files.origin, &plan.signal.origin})
        f(*origin);
}

} // namespace

PlanOnFile to_file(const Plan& plan) {
    PlanOnFile file;
    file.enabled = plan.enabled.value;
    file.interval = number_of(plan.interval.value);
    file.base = plan.base.value;
    file.on = plan.on.value.bits;
    file.method = static_cast<std::uint8_t>(plan.method.value.kind);
    file.method_signal = plan.method.value.signal;
    file.keep = plan.keep.value;
    file.max_restarts = plan.max_restarts.value;
    file.restore = static_cast<std::uint8_t>(plan.restore.value.kind);
    file.restore_job = plan.restore.value.job_id;
    file.restore_generation = plan.restore.value.generation;
    file.files = static_cast<std::uint8_t>(plan.files.value);
    file.signal = plan.signal.value;
    for_each_origin(plan, [&](Origin origin) { file.origins.push_back(static_cast<std::uint8_t>(origin)); });
    return file;
}

Plan plan_from(const PlanOnFile& file) {
    Plan plan;
    plan.enabled.value = file.enabled;
    plan.interval.value = interval_of(file.interval);
    plan.base.value = file.base;
    plan.on.value.bits = file.on;
    plan.method.value = {static_cast<Method::Kind>(file.method), file.method_signal};
    plan.keep.value = file.keep;
    plan.max_restarts.value = file.max_restarts;
    plan.restore.value = {static_cast<Restore::Kind>(file.restore), file.restore_job,
                          file.restore_generation};
    plan.files.value = static_cast<FilesMode>(file.files);
    plan.signal.value = file.signal;
    std::size_t i = 0;
    for_each_origin(plan, [&](Origin& origin) {
        if (i < file.origins.size()) origin = static_cast<Origin>(file.origins[i++]);
    });
    return plan;
}

} // namespace ckpt
