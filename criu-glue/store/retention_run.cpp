// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/retention_run.hpp"

#include <cerrno>
#include <ctime>
#include <span>

#include "store/packs.hpp"
#include "store/retention_look.hpp"

namespace ckpt::store {
namespace {

class Removing {
public:
    Removing(JobAt& job, const Users& before) : m_job(job), m_before(before) {}

    Status remove(const Removal& removal) {
        if (removal.id.generation != 0) CKPT_CHECK(remove_generation(removal.id));
        return removal.with_directory ? remove_directory() : Status{};
    }

    // For jobs to which nobody commits.
    Status sweep() {
        return m_before.started.empty() ? Status{} : sweep_packs(m_job, m_before.started.rbegin()->first);
    }

private:
    Status remove_generation(GenerationId id) {
        const std::string dir = m_job.incarnation(id.incarnation);
        const std::string name = m_job.generation(id);
        const std::string trash =
            dir + "/" + std::string(k_trash_prefix) + generation_dir_name(id.generation);
        CKPT_CHECK(m_job.volume.rename(name, trash));
        CKPT_CHECK(m_job.volume.sync(dir));
        const Status unused = check_unused();
        if (!unused) {
            CKPT_CHECK(m_job.volume.rename(trash, name));
            CKPT_CHECK(m_job.volume.sync(dir));
            return unused;
        }
        return m_job.volume.remove(trash);
    }

    // Whoever begins to use it now makes a directory of its own in it first, or anew.
    Status remove_directory() {
        const std::string cluster = m_job.owner.cluster;
        const std::string place = m_job.dir;
        const std::string trash = cluster + "/" + std::string(k_trash_prefix) + job_dir_name(m_job.owner);
        CKPT_CHECK(m_job.volume.rename(place, trash));
        CKPT_CHECK(m_job.volume.sync(cluster));
        m_job.dir = trash;
        const Status unused = check_unused();
        m_job.dir = place;
        if (!unused) {
            CKPT_CHECK(m_job.volume.rename(trash, place));
            CKPT_CHECK(m_job.volume.sync(cluster));
            return unused;
        }
        return m_job.volume.remove(trash);
    }

    Status check_unused() const {
        CKPT_TRY(const Users now, users_of(m_job));
        if (now == m_before) return {};
        return fail(Code::not_permitted, "the job has started again, or another one goes on from it");
    }

    JobAt& m_job;
    const Users& m_before;
};

// Nothing that comes after it can be done either, and it is not to be taken for a fault of that.
bool is_over(const Status& done) {
    return !done && (done.error().errnum == EPIPE || done.error().code == Code::deadline);
}

// The removals of one job. One that fails ends them: what comes after it may need what could not be done.
Status remove_of_job(const Store& store, const StoredJob& stored, std::span<const Removal> removals,
                     const Report& report) {
    auto job = job_at(store, stored);
    Status done = job ? Status{} : Status{tl::unexpected(job.error())};
    bool sweeps = false;
    for (const Removal& removal : removals) {
        if (done) done = Removing(*job, stored.users).remove(removal);
        CKPT_CHECK(report(removal, stored, done));
        if (is_over(done)) return done;
        sweeps = (sweeps || done) && !removal.is_active && !removal.with_directory;
    }
    if (sweeps && done) (void)Removing(*job, stored.users).sweep(); // the next time finds it again
    return {};
}

// Longer than anybody takes between the renaming of a job's directory and putting it back.
constexpr std::int64_t k_trash_s = 3600;

// Whoever has renamed it may be at work on another node, and put it back because somebody has begun to use
// the job: that has written a record in it by then.
bool is_left_behind(const Store& store, const std::string& path) {
    const auto usage = store.volume.usage(path);
    return usage && std::time(nullptr) - usage->newest >= k_trash_s;
}

// What a removal that was killed has left behind. Told of only when it stays.
Status sweep_directory(const Store& store, const std::string& cluster, const std::string& name,
                       const Report& report) {
    const std::string dir_name = name.substr(k_trash_prefix.size());
    const auto job_id = job_id_of(dir_name);
    if (!job_id || !is_left_behind(store, cluster + "/" + name)) return {};
    const Status done = store.volume.remove(cluster + "/" + name);
    if (done) return {};
    StoredJob job;
    job.cluster = cluster;
    job.dir_name = dir_name;
    job.owner.cluster = cluster;
    job.owner.job_id = *job_id;
    Removal removal;
    removal.reason = "left behind by a removal that was not finished";
    removal.with_directory = true;
    CKPT_CHECK(report(removal, job, done));
    return is_over(done) ? done : Status{};
}

Status sweep_directories(const Store& store, const Report& report) {
    CKPT_TRY(const auto clusters, store.volume.list(""));
    for (const std::string& cluster : clusters) {
        if (!is_store_name(cluster)) continue;
        const auto names = store.volume.list(cluster);
        if (!names) continue;
        for (const std::string& name : *names)
            if (name.starts_with(k_trash_prefix)) CKPT_CHECK(sweep_directory(store, cluster, name, report));
    }
    return {};
}

} // namespace

Status remove_all(const Store& store, const std::vector<StoredJob>& jobs,
                  const std::vector<Removal>& removals, const Report& report) {
    CKPT_CHECK(sweep_directories(store, report));
    for (std::span<const Removal> rest(removals); !rest.empty();) {
        std::size_t count = 0;
        while (count < rest.size() && rest[count].job == rest.front().job)
            ++count;
        CKPT_CHECK(remove_of_job(store, jobs.at(rest.front().job), rest.first(count), report));
        rest = rest.subspan(count);
    }
    return {};
}

} // namespace ckpt::store
