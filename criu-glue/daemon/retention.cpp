// SPDX-License-Identifier: GPL-2.0-or-later
// What nobody needs any more goes from the store: when somebody asks for it, and once in each interval, for
// each user who has had a job on this node since.
#include <fcntl.h>

#include <array>
#include <cmath>
#include <ctime>
#include <memory>
#include <random>
#include <utility>

#include "log.hpp"
#include "server.hpp"
#include "slurmctld.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::minutes k_prune_limit{30};
constexpr std::chrono::minutes k_prune_patience{2};

// So that neither the nodes of a cluster nor the rounds of one come together.
std::chrono::milliseconds some_time_in(std::chrono::milliseconds interval) {
    std::random_device device;
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(0, interval.count())(device));
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
    ask_user_jobs(m_workers, store.user.uid,
                  [this, store, dry_run, stream, done](const Result<UserJobs>& jobs) {
                      wire::PruneRequest request = request_for(jobs);
                      request.retention = retention();
                      request.uid = store.user.uid;
                      request.dry_run = dry_run;
                      const std::array to_worker = {stream->get()};
                      start_sealer(store, wire::encode(request), to_worker, k_prune_limit,
                                   [this, done, store, dry_run](const Result<Packet>& packet) {
                                       if (!dry_run) log_pruned(store, result_of<wire::PruneResult>(packet));
                                       done();
                                   });
                      stream->reset();
                  });
}

void Server::log_pruned(const UserStore& store, const Result<wire::PruneResult>& result) {
    if (!result) {
        if (may_log(store.user.uid)) log::warning("pruning " + store.base + ": " + one_line(result.error()));
        return;
    }
    if (result->stayed > 0 && may_log(store.user.uid))
        log::warning("pruning " + store.base + ": " + result->problem +
                     (result->stayed > 1 ? "; " + std::to_string(result->stayed - 1) + " more stay as well"
                                         : std::string()));
    if ((result->generations > 0 || result->directories > 0) && may_log(store.user.uid))
        log::info("pruned " + store.base + ": " + std::to_string(result->generations) + " generations, " +
                  std::to_string(result->directories) + " directories without one, " +
                  std::to_string(result->bytes) + " bytes");
}

void Server::remember_user(const Job& job) {
    if (job.state.unmanaged) return;
    m_store_users.remember(job.place.uid, job.facts.user, job.place.base, std::time(nullptr));
}

// What a job leaves has to go when it has ended for `after_end`: its user is remembered so long.
void Server::prune_daily() {
    m_loop.after(some_time_in(m_policy.retention.every), [this] {
        for (const auto& [job_id, job] : m_jobs)
            remember_user(job);
        const Seconds kept = m_policy.retention.after_end + 3 * m_policy.retention.every;
        m_store_users.forget(std::time(nullptr) - kept.count());
        m_to_prune = m_store_users.users();
        prune_next();
    });
}

// One user after the other, but nobody waits long for the one before, however many directories that has:
// whose writer is stopped, or whose file system hangs, keeps nobody else's from being looked at. The next
// round begins between half an interval from now and one and a half.
void Server::prune_next() {
    while (!m_to_prune.empty() && m_pruning.contains(m_to_prune.back()))
        m_to_prune.pop_back();
    if (m_to_prune.empty()) {
        m_loop.after(m_policy.retention.every / 2, [this] { prune_daily(); });
        return;
    }
    const uid_t uid = m_to_prune.back();
    m_to_prune.pop_back();
    const auto go_on = [this, once = std::make_shared<bool>(false)] {
        if (!std::exchange(*once, true)) prune_next();
    };
    const Loop::Id patience = m_loop.after(k_prune_patience, go_on);
    m_pruning.insert(uid);
    prune_each(uid, m_store_users.of(uid), [this, uid, go_on, patience] {
        m_pruning.erase(uid);
        m_loop.cancel(patience);
        go_on();
    });
}

// What is the user's own choice, root does not open.
void Server::prune_each(uid_t uid, std::vector<StoreUsers::Store> stores, const std::function<void()>& done) {
    if (stores.empty()) return done();
    const auto [base, user] = stores.back();
    stores.pop_back();
    const auto sites = user_base(m_policy.storage.base, user);
    Fd nobody(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    start_prune({base,
                 {uid, wire::WriterRequest::k_unknown, {}},
                 false,
                 false,
                 sites && *sites == base,
                 admins_part(m_policy, base, user)},
                false, std::move(nobody), [this, uid, stores, done] { prune_each(uid, stores, done); });
}

} // namespace ckpt
