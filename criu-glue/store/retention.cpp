// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/retention.hpp"

#include <algorithm>
#include <numeric>

#include "text/text.hpp"

namespace ckpt::store {
namespace {

constexpr std::int64_t k_claim_s =
    24L * 3600;                           // until then the job that has claimed has become known to slurmctld
constexpr std::int64_t k_commit_s = 3600; // longer than any commit may take

enum class Life : std::uint8_t { active, unknown, ended };

class Decision {
public:
    Decision(const std::vector<StoredJob>& jobs, const ActiveJobs& active, const RetentionRules& rules,
             std::int64_t now)
        : m_jobs(jobs), m_active(active), m_rules(rules), m_now(now), m_total(stored_bytes(jobs)),
          m_chosen(jobs.size()) {}

    std::vector<Removal> take() {
        for (std::size_t job = 0; job < m_jobs.size(); ++job)
            if (!is_spared(m_jobs[job])) judge_age(job);
        if (m_rules.user_limit > 0) {
            shrink_ended();
            shrink_active();
        }
        return in_order();
    }

private:
    struct Chosen {
        bool whole = false;
        std::map<GenerationId, Removal> removals;
    };

    [[nodiscard]] bool knows(const StoredJob& job) const {
        return m_active.is_complete && m_active.cluster == job.cluster;
    }
    [[nodiscard]] bool is_active(const StoredJob& job, std::uint32_t job_id) const {
        return m_active.cluster == job.cluster && m_active.contains(job_id);
    }
    [[nodiscard]] Life life_of(const StoredJob& job) const {
        if (is_active(job, job.owner.job_id)) return Life::active;
        return knows(job) || job.ended_for_good ? Life::ended : Life::unknown;
    }
    [[nodiscard]] std::int64_t end_of(const StoredJob& job) const {
        return job.ended_at.value_or(job.usage.newest);
    }

    // Somebody is at work on it, or may be.
    [[nodiscard]] bool is_spared(const StoredJob& job) const {
        if (job.commits && m_now - job.usage.newest < k_commit_s) return true;
        return std::ranges::any_of(job.users.claims, [&](const Claimed& claim) {
            return m_now - claim.at < k_claim_s || !knows(job) || is_active(job, claim.by_job);
        });
    }

    void judge_age(std::size_t index) {
        const StoredJob& job = m_jobs[index];
        const bool has_ended = life_of(job) == Life::ended;
        const std::int64_t since = std::max<std::int64_t>(m_now - end_of(job), 0);
        // A second is not over before the next has begun.
        if (has_ended && (m_rules.after_end == 0 || since > m_rules.after_end))
            return choose_all(index, job.ended_at ? "ended " + text::age(since) + " ago"
                                     : knows(job) ? "the job has ended; last change of its files " +
                                                        text::age(since) + " ago"
                                                  : "last change of its files " + text::age(since) + " ago");
        if (m_rules.max_age == 0) return;
        for (const StoredGeneration& one : job.generations)
            if (m_now - one.created_at > m_rules.max_age && (has_ended || !is_needed(job, one.id)))
                choose(index, one, "older than " + text::age(m_rules.max_age));
        if (has_ended && !job.generations.empty() &&
            m_chosen[index].removals.size() == job.generations.size())
            choose_all(index, "older than " + text::age(m_rules.max_age));
    }

    [[nodiscard]] static bool is_needed(const StoredJob& job, GenerationId id) {
        return job.needed.contains(id) || job.generations.back().id == id;
    }

    void choose(std::size_t index, const StoredGeneration& one, const std::string& reason) {
        Chosen& chosen = m_chosen[index];
        const Removal removal{index,  one.id, one.stored_bytes,
                              reason, false,  life_of(m_jobs[index]) != Life::ended};
        if (!chosen.removals.emplace(one.id, removal).second) return;
        m_total -= std::min(m_total, one.stored_bytes);
        m_left[index] += one.stored_bytes;
    }

    void choose_all(std::size_t index, const std::string& reason) {
        const StoredJob& job = m_jobs[index];
        for (const StoredGeneration& one : job.generations)
            choose(index, one, reason);
        Chosen& chosen = m_chosen[index];
        if (chosen.removals.empty())
            chosen.removals.emplace(GenerationId{}, Removal{index, {}, 0, reason, false, false});
        chosen.whole = true;
        // What no manifest accounts for: records, indexes, what generations no longer there have left.
        const std::uint64_t rest = job.usage.bytes - std::min(job.usage.bytes, m_left[index]);
        Removal& last = chosen.removals.rbegin()->second;
        last.with_directory = true;
        last.bytes += rest;
        m_total -= std::min(m_total, rest);
    }

    [[nodiscard]] bool is_over() const { return m_total >= m_rules.user_limit; }
    [[nodiscard]] std::string over_limit() const {
        return "over the limit of " + text::bytes(m_rules.user_limit) + ": oldest first";
    }

    void shrink_ended() {
        std::vector<std::size_t> ended;
        for (std::size_t job = 0; job < m_jobs.size(); ++job)
            if (!m_jobs[job].generations.empty() && !is_spared(m_jobs[job]) && !m_chosen[job].whole &&
                life_of(m_jobs[job]) == Life::ended)
                ended.push_back(job);
        std::ranges::stable_sort(ended, {}, [&](std::size_t job) { return end_of(m_jobs[job]); });
        for (const std::size_t job : ended) {
            if (!is_over()) return;
            choose_all(job, over_limit());
        }
    }

    void shrink_active() {
        std::vector<std::pair<std::size_t, StoredGeneration>> older;
        for (std::size_t job = 0; job < m_jobs.size(); ++job) {
            if (is_spared(m_jobs[job]) || life_of(m_jobs[job]) != Life::active) continue;
            for (const StoredGeneration& one : m_jobs[job].generations)
                if (!is_needed(m_jobs[job], one.id)) older.emplace_back(job, one);
        }
        std::ranges::stable_sort(older, {}, [](const auto& one) { return one.second.created_at; });
        for (const auto& [job, one] : older) {
            if (!is_over()) return;
            choose(job, one, over_limit());
        }
    }

    std::vector<Removal> in_order() {
        std::vector<Removal> all;
        for (const Chosen& chosen : m_chosen)
            for (const auto& [id, removal] : chosen.removals)
                all.push_back(removal);
        return all;
    }

    const std::vector<StoredJob>& m_jobs;
    const ActiveJobs& m_active;
    const RetentionRules& m_rules;
    std::int64_t m_now;
    std::uint64_t m_total;
    std::vector<Chosen> m_chosen;
    std::map<std::size_t, std::uint64_t> m_left; // bytes that the removals of a job account for
};

} // namespace

bool Users::operator==(const Users& other) const {
    const auto same = [](const auto& a, const auto& b) {
        return a.first == b.first && a.second.state == b.second.state && a.second.value == b.second.value;
    };
    return claims == other.claims && std::ranges::equal(started, other.started, same);
}

bool ActiveJobs::contains(std::uint32_t job_id) const {
    return std::ranges::any_of(
        ranges, [job_id](const Range& range) { return range.first <= job_id && job_id <= range.last; });
}

std::vector<Removal> decide_retention(const std::vector<StoredJob>& jobs, const ActiveJobs& active,
                                      const RetentionRules& rules, std::int64_t now) {
    return Decision(jobs, active, rules, now).take();
}

std::uint64_t stored_bytes(const std::vector<StoredJob>& jobs) {
    return std::accumulate(jobs.begin(), jobs.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const StoredJob& job) { return sum + job.usage.bytes; });
}

} // namespace ckpt::store
