// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/scan.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "store/damage.hpp"

namespace ckpt::store {
namespace {

// The number of a directory that is, was or was going to be a generation: a crash leaves the latter two
// behind.
std::optional<std::uint32_t> number_used_by(std::string_view name) {
    for (const std::string_view prefix : {k_temp_prefix, k_trash_prefix})
        if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    return generation_of(name);
}

template <typename T>
Status was_read(const Record<T>& record) {
    return record.unread ? Status(tl::unexpected(*record.unread)) : Status();
}

Result<IncarnationState> read_incarnation(const JobAt& job, std::uint32_t number, std::uint32_t& newest) {
    IncarnationState state;
    state.number = number;
    const auto entries = job.volume.list(job.incarnation(number));
    if (!entries && !is_damage(entries.error())) return tl::unexpected(entries.error());
    if (!entries) {
        state.unreadable = incarnation_dir_name(number) + ": " + entries.error().what;
        return state;
    }
    state.adopted = read_adopted(job, number);
    state.completed = read_completed(job, number);
    state.failed = read_failed(job, number);
    state.stopped = read_stopped(job, number);
    CKPT_CHECK(was_read(state.adopted));
    CKPT_CHECK(was_read(state.completed));
    CKPT_CHECK(was_read(state.failed));
    CKPT_CHECK(was_read(state.stopped));
    newest = std::max(newest, state.completed.value.newest_generation);
    for (const std::string& entry : *entries) {
        if (const auto generation = generation_of(entry)) state.generations.push_back(*generation);
        newest = std::max(newest, number_used_by(entry).value_or(0));
        if (const auto by = claimant_of(entry)) {
            const auto claim = read_claimed(job, number, *by);
            state.claims.push_back({*by, claim.state == RecordState::valid ? claim.value.at : 0});
        }
        state.commits = state.commits || (entry.starts_with(k_temp_prefix) && number_used_by(entry));
    }
    std::ranges::sort(state.generations, std::greater<>());
    return state;
}

} // namespace

const IncarnationState* JobState::incarnation(std::uint32_t number) const {
    const auto at = std::ranges::find(incarnations, number, &IncarnationState::number);
    return at == incarnations.end() ? nullptr : &*at;
}

Result<JobState> scan(const JobAt& job) {
    CKPT_TRY(const auto names, job.volume.list(job.dir));
    JobState state;
    for (const std::string& name : names)
        if (const auto number = incarnation_of(name)) {
            CKPT_TRY(IncarnationState inc, read_incarnation(job, *number, state.newest_generation));
            state.incarnations.push_back(std::move(inc));
        }
    std::ranges::sort(state.incarnations, std::greater<>(), &IncarnationState::number);
    return state;
}

} // namespace ckpt::store
