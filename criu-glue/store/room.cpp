// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/room.hpp"

#include <format>

#include "store/packs.hpp"
#include "store/retention_look.hpp"
#include "store/retention_run.hpp"
#include "text/text.hpp"

namespace ckpt::store {
namespace {

Status check_free(const Store& store, double min_free) {
    if (min_free <= 0) return {};
    CKPT_TRY(const Space space, store.volume.space());
    const double wanted = min_free * static_cast<double>(space.total);
    if (static_cast<double>(space.free) >= wanted) return {};
    return fail(Code::store_full,
                std::format("{} of {} are free in {}, and {} have to stay free", text::bytes(space.free),
                            text::bytes(space.total), store.volume.name(),
                            text::bytes(static_cast<std::uint64_t>(wanted))),
                "free space there");
}

// Only what the directories of jobs hold: others may lie beside them.
Result<std::uint64_t> used(Volume& volume) {
    std::uint64_t bytes = 0;
    CKPT_TRY(const auto clusters, volume.list(""));
    for (const std::string& cluster : clusters) {
        if (!is_store_name(cluster)) continue;
        const auto names = volume.list(cluster);
        if (!names) continue;
        for (const std::string& name : *names)
            if (job_id_of(name))
                if (const auto usage = volume.usage(cluster + "/" + name)) bytes += usage->bytes;
    }
    return bytes;
}

Status remove_what_may_go(const Store& store, const Owner& owner, std::uint32_t incarnation,
                          const RetentionRules& rules, std::int64_t now) {
    CKPT_TRY(const auto jobs, look(store, owner.uid));
    const ActiveJobs active{owner.cluster, false, {{owner.job_id, owner.job_id}}};
    const auto ignore = [](const Removal&, const StoredJob&, const Status&) { return Status{}; };
    CKPT_CHECK(remove_all(store, jobs, decide_retention(jobs, active, rules, now), ignore));
    // Of the own job too: nobody else commits to it.
    CKPT_TRY(const JobAt job, job_at(store, owner));
    return sweep_packs(job, incarnation);
}

} // namespace

Status make_room(const Store& store, const Owner& owner, std::uint32_t incarnation, const RoomRules& rules,
                 std::int64_t now) {
    CKPT_CHECK(check_free(store, rules.min_free));
    const std::uint64_t limit = rules.retention.user_limit;
    if (limit == 0) return {};
    CKPT_TRY(std::uint64_t bytes, used(store.volume));
    if (bytes < limit) return {};
    // What fails there shows in what is used afterwards.
    (void)remove_what_may_go(store, owner, incarnation, rules.retention, now);
    CKPT_TRY(bytes, used(store.volume));
    if (bytes < limit) return {};
    return fail(Code::store_full,
                std::format("your checkpoints take {} of the {} you may have in {}", text::bytes(bytes),
                            text::bytes(limit), store.volume.name()),
                "see `sckpt list`; `sckpt prune` removes what no job needs any more");
}

} // namespace ckpt::store
