// SPDX-License-Identifier: GPL-2.0-or-later
// What nobody needs any more goes from the store: when somebody asks for it, and once a day, for each user
// who has had a job on this node since.
#include <fcntl.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "log.hpp"
#include "server.hpp"
#include "slurmctld.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::minutes k_prune_limit{30};
constexpr std::chrono::hours k_day{24};

// So that neither the nodes of a cluster nor the days of one come together.
std::chrono::milliseconds some_time_of_day() {
    std::random_device device;
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(0, std::chrono::milliseconds(k_day).count())(device));
}

wire::PruneRequest request_for(const Result<UserJobs>& jobs) {
    wire::PruneRequest request;
    if (jobs) {
        request.cluster = jobs->cluster;
        request.active = jobs->ids;
    } else {
        request.note = "slurmctld has not said which jobs have not ended (" + jobs.error().what +
                       "): only what needs no such knowledge is removed";
    }
    return request;
}

} // namespace

wire::Retention Server::retention() const {
    constexpr double k_million = 1e6;
    const PolicyRetention& policy = m_policy.retention;
    return {static_cast<std::uint64_t>(policy.after_end.count()),
            static_cast<std::uint64_t>(policy.max_age.count()), policy.user_limit,
            static_cast<std::uint32_t>(std::lround(policy.min_free * k_million))};
}

// Slurmctld comes first: a job that is not among those it knows then, and starts later, is seen when its
// generations are removed.
void Server::start_prune(const UserStore& store, bool dry_run, Fd out, std::function<void()> done) {
    auto stream = std::make_shared<Fd>(std::move(out));
    ask_user_jobs(
        m_workers, store.user.uid, [this, store, dry_run, stream, done](const Result<UserJobs>& jobs) {
            wire::PruneRequest request = request_for(jobs);
            request.retention = retention();
            request.dry_run = dry_run;
            const std::array to_worker = {stream->get()};
            start_sealer(store, wire::encode(request), to_worker, k_prune_limit,
                         [done, base = store.base, dry_run](const Result<Packet>& packet) {
                             const auto result = result_of<wire::PruneResult>(packet);
                             if (!result)
                                 log::warning("pruning " + base + ": " + one_line(result.error()));
                             else if (result->removed > 0 && !dry_run)
                                 log::info("pruned " + base + ": " + std::to_string(result->removed) +
                                           " generations, " + std::to_string(result->bytes) + " bytes");
                             done();
                         });
            stream->reset();
        });
}

void Server::remember_user(const Job& job) {
    if (!job.state.unmanaged) m_to_prune.emplace(job.place.base, job.place.uid);
}

void Server::prune_daily() {
    m_loop.after(some_time_of_day(), [this] {
        for (const auto& [job_id, job] : m_jobs)
            remember_user(job);
        prune_next();
    });
}

// One user after the other. The next round begins between now and the end of the next day.
void Server::prune_next() {
    if (m_to_prune.empty()) {
        m_loop.after(k_day / 2, [this] { prune_daily(); });
        return;
    }
    const auto [base, uid] = *m_to_prune.begin();
    m_to_prune.erase(m_to_prune.begin());
    Fd nobody(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    start_prune({base, {uid, wire::WriterRequest::k_unknown, {}}, false}, false, std::move(nobody),
                [this] { prune_next(); });
}

} // namespace ckpt
