// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/retention_run.hpp"

#include <ctime>
#include <set>
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

// The removals of one job. One that fails ends them: what comes after it may need what could not be done.
Status remove_of_job(const Store& store, const StoredJob& stored, std::span<const Removal> removals,
                     const Report& report) {
    auto job = job_at(store, stored);
    Status done = job ? Status{} : Status{tl::unexpected(job.error())};
    bool sweeps = false;
    for (const Removal& removal : removals) {
        if (done) done = Removing(*job, stored.users).remove(removal);
        CKPT_CHECK(report(removal, stored, done));
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

// What a removal that was killed has left behind.
void sweep_directories(const Store& store, const std::vector<StoredJob>& jobs) {
    std::set<std::string> clusters;
    for (const StoredJob& job : jobs)
        clusters.insert(job.cluster);
    for (const std::string& cluster : clusters) {
        const auto names = store.volume.list(cluster);
        if (!names) continue;
        for (const std::string& name : *names)
            if (name.starts_with(k_trash_prefix) && job_id_of(name.substr(k_trash_prefix.size())) &&
                is_left_behind(store, cluster + "/" + name))
                (void)store.volume.remove(cluster + "/" + name);
    }
}

} // namespace

Status remove_all(const Store& store, const std::vector<StoredJob>& jobs,
                  const std::vector<Removal>& removals, const Report& report) {
    sweep_directories(store, jobs);
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
