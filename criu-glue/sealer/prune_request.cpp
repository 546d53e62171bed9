// SPDX-License-Identifier: GPL-2.0-or-later
#include "prune_request.hpp"

#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

#include "access.hpp"
#include "os/reader.hpp"
#include "store/history.hpp"
#include "store/inspect.hpp"
#include "store/retention_look.hpp"
#include "store/retention_run.hpp"

namespace ckpt {
namespace {

using nlohmann::json;

std::string line_of(const json& object) {
    return object.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

json describe(const store::Removal& removal, const store::StoredJob& job) {
    json object = {{"cluster", job.cluster},
                   {"job", job.owner.job_id},
                   {"bytes", removal.bytes},
                   {"reason", removal.reason},
                   {"whole", removal.with_directory}};
    if (removal.id.generation != 0) {
        object["incarnation"] = removal.id.incarnation;
        object["generation"] = removal.id.generation;
    }
    return object;
}

void count(const store::Removal& removal, const store::StoredJob& job, const Status& done,
           wire::PruneResult& result) {
    if (done) {
        ++(removal.id.generation != 0 ? result.generations : result.directories);
        result.bytes += removal.bytes;
    } else if (result.stayed++ == 0) {
        constexpr std::size_t k_problem_max = 1000;
        result.problem = job.cluster + "/" + job.dir_name + " stays: " + one_line(done.error());
        result.problem.resize(std::min(result.problem.size(), k_problem_max));
    }
}

// Removes, or only says what would be removed, and counts it.
Status remove_or_tell(const store::Store& store, const wire::PruneRequest& request,
                      const std::vector<store::StoredJob>& jobs, int out, wire::PruneResult& result) {
    const auto removals =
        store::decide_retention(jobs, active_jobs(request.cluster, request.active),
                                room_rules(request.retention).retention, std::time(nullptr));
    std::string at; // where something stayed
    const auto report = [&](const store::Removal& removal, const store::StoredJob& job, const Status& done) {
        json object = describe(removal, job);
        object["done"] = done.has_value() && !request.dry_run;
        if (!done) object["problem"] = done.error().what;
        count(removal, job, done, result);
        if (!done) at = job.cluster + "/" + job.dir_name;
        return write_to_reader(out, line_of(object), store::k_reader_patience);
    };
    if (!request.dry_run) {
        Status done = store::remove_all(store, jobs, removals, report);
        if (!done && !at.empty()) done.error().what = "cannot remove " + at + ": " + done.error().what;
        return done;
    }
    for (const store::Removal& removal : removals)
        CKPT_CHECK(report(removal, jobs[removal.job], {}));
    return {};
}

} // namespace

store::RoomRules room_rules(const wire::Retention& retention) {
    constexpr double k_million = 1e6;
    return {{static_cast<std::int64_t>(retention.after_end), static_cast<std::int64_t>(retention.max_age),
             retention.user_limit},
            retention.min_free_ppm / k_million};
}

store::ActiveJobs active_jobs(const std::string& cluster, const std::vector<wire::JobRange>& ranges) {
    store::ActiveJobs active{cluster, !cluster.empty(), {}};
    for (const wire::JobRange& range : ranges)
        active.ranges.push_back({range.first, range.last});
    return active;
}

Status prune_user(const wire::PruneRequest& request, std::vector<Fd>& fds, wire::PruneResult& result) {
    const int out = fds[k_own].get();
    const auto access = Access::open(fds);
    if (!access && access.error().code == Code::not_found) return {};
    if (!access) return tl::unexpected(store::store_error(access.error(), "cannot use the store"));
    if (!request.note.empty())
        CKPT_CHECK(write_to_reader(out, line_of({{"note", request.note}}), store::k_reader_patience));
    const auto jobs = store::look(access->store(), request.uid);
    if (!jobs) return tl::unexpected(store::store_error(jobs.error(), "cannot look through the store"));
    CKPT_CHECK(remove_or_tell(access->store(), request, *jobs, out, result));
    const auto age = static_cast<std::int64_t>(request.retention.after_end);
    return request.dry_run ? Status{}
                           : store::sweep_histories(access->store().volume, age, std::time(nullptr));
}

} // namespace ckpt
