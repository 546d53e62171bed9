// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/retention_look.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "store/choice.hpp"
#include "store/manifest.hpp"
#include "store/other_job.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

constexpr std::uint32_t k_newest = std::numeric_limits<std::uint32_t>::max();

// Stands for an owner that no manifest tells: no record verifies for it, but each is seen.
Owner somebody(const std::string& cluster, const std::string& dir_name) {
    Owner owner;
    owner.cluster = cluster;
    owner.job_id = job_id_of(dir_name).value_or(0);
    owner.uuid = dir_name.substr(dir_name.find('-') + 1) + std::string(24, '0');
    return owner;
}

Users users_in(const JobState& state) {
    Users users;
    for (const IncarnationState& inc : state.incarnations) {
        users.started[inc.number] = inc.adopted;
        users.claims.insert(users.claims.end(), inc.claims.begin(), inc.claims.end());
    }
    return users;
}

class Look {
public:
    Look(const JobAt& job, StoredJob& found) : m_job(job), m_found(found) {}

    Status run() {
        CKPT_TRY(const JobState state, scan(m_job));
        m_found.users = users_in(state);
        for (const IncarnationState& inc : state.incarnations) {
            if (!inc.unreadable.empty()) return fail(Code::os, inc.unreadable);
            m_found.commits = m_found.commits || inc.commits;
            for (const std::uint32_t generation : inc.generations)
                CKPT_CHECK(add({inc.number, generation}));
        }
        std::ranges::sort(m_found.generations, {}, &StoredGeneration::id);
        find_needed(state);
        if (!state.incarnations.empty()) find_end(state.incarnations.front());
        CKPT_TRY(m_found.usage, m_job.volume.usage(m_job.dir));
        return {};
    }

private:
    Status add(GenerationId id) {
        const auto manifest = verified_manifest(m_job, id);
        if (manifest) {
            m_good.insert(id);
            m_found.generations.push_back({id, manifest->created_at, manifest->stored_bytes});
            return {};
        }
        if (manifest.error().code == Code::not_found) return {}; // pruned meanwhile
        // Sealed with a key that this node does not have, perhaps: no reason to be in a hurry.
        CKPT_TRY(const Usage usage, m_job.volume.usage(m_job.generation(id)));
        m_found.generations.push_back({id, usage.newest, usage.bytes});
        return {};
    }

    void find_needed(const JobState& state) {
        const Choice choice = choose(state, k_newest);
        for (const GenerationId id : choice.candidates) {
            m_found.needed.insert(id);
            if (m_good.contains(id)) break;
        }
        const auto is_good = [&](GenerationId id) { return m_good.contains(id); };
        if (std::ranges::none_of(choice.candidates, is_good))
            m_found.needed.insert(choice.doubtful.begin(), choice.doubtful.end());
        for (const IncarnationState& inc : state.incarnations) {
            if (inc.adopted.state == RecordState::absent) continue;
            if (inc.adopted.value.from && !inc.adopted.value.of)
                m_found.needed.insert(*inc.adopted.value.from);
            break;
        }
    }

    void find_end(const IncarnationState& last) {
        const auto& completed = last.completed;
        if (completed.state == RecordState::valid && !completed.value.will_be_requeued) {
            m_found.ended_at = completed.value.at;
            m_found.ended_for_good = true;
        } else if (last.failed.state == RecordState::valid) {
            m_found.ended_at = last.failed.value.at;
        }
    }

    const JobAt& m_job;
    StoredJob& m_found;
    std::set<GenerationId> m_good;
};

} // namespace

Result<JobAt> job_at(const Store& store, const StoredJob& job) {
    return job_at(store, job.owner);
}

Result<Users> users_of(const JobAt& job) {
    CKPT_TRY(const JobState state, scan(job));
    return users_in(state);
}

Result<std::vector<StoredJob>> look(const Store& store, std::uint32_t uid) {
    std::vector<StoredJob> jobs;
    CKPT_TRY(const auto clusters, store.volume.list(""));
    for (const std::string& cluster : clusters) {
        if (!is_store_name(cluster)) continue;
        const auto names = store.volume.list(cluster);
        if (!names) continue;
        for (const std::string& name : *names) {
            if (!job_id_of(name)) continue;
            StoredJob found;
            found.cluster = cluster;
            found.dir_name = name;
            found.owner = claimed_owner(store.volume, cluster, name, uid).value_or(somebody(cluster, name));
            CKPT_TRY(const JobAt job, job_at(store, found));
            const Status looked = Look(job, found).run();
            if (looked) jobs.push_back(std::move(found));
            // The volume has gone, or does not answer.
            if (!looked && (looked.error().errnum == EPIPE || looked.error().code == Code::deadline))
                return tl::unexpected(looked.error());
        }
    }
    CKPT_CHECK(store.volume.list("").map([](const auto&) {})); // it has answered to the end
    return jobs;
}

} // namespace ckpt::store
