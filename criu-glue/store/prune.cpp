// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/prune.hpp"

#include <algorithm>
#include <format>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "store/choice.hpp"
#include "store/manifest.hpp"
#include "store/packs.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

// Generations up to this incarnation may be what another job goes on from: a claim lies in the incarnation
// that was the newest then. Which claims are over only slurmctld knows, so these go by retention
// (retention.hpp).
std::optional<std::uint32_t> claimed_up_to(const JobState& state) {
    for (const IncarnationState& inc : state.incarnations)
        if (!inc.claims.empty()) return inc.number;
    return std::nullopt;
}

// A generation leaves in three steps: renamed (no longer a generation, durably), checked once more, removed.
// A successor records what it adopts before it opens it (adopt.cpp), as another job does what it claims, so
// either it no longer finds the generation, or its record is found here and the generation goes back to its
// place.
class Remover {
public:
    Remover(const JobAt& job, std::uint32_t incarnation) : m_job(job), m_incarnation(incarnation) {}

    Status remove(GenerationId id) {
        const std::string dir = m_job.incarnation(id.incarnation);
        const std::string name = m_job.generation(id);
        const std::string trash =
            dir + "/" + std::string(k_trash_prefix) + generation_dir_name(id.generation);
        CKPT_CHECK(m_job.volume.rename(name, trash));
        CKPT_CHECK(m_job.volume.sync(dir));
        const Status unused = check_unused(id.incarnation);
        if (!unused) {
            CKPT_CHECK(m_job.volume.rename(trash, name));
            CKPT_CHECK(m_job.volume.sync(dir));
            return unused;
        }
        return m_job.volume.remove(trash);
    }

    // What a removal that was killed has left behind; of incarnations before this one, whatever was, and of
    // this one too when it has `ended`.
    Status sweep(const JobState& state, bool ended = false) {
        for (const IncarnationState& inc : state.incarnations) {
            if (inc.number > m_incarnation || !inc.unreadable.empty()) continue;
            const std::string dir = m_job.incarnation(inc.number);
            CKPT_TRY(const auto names, m_job.volume.list(dir));
            for (const std::string& name : names) {
                if (name.starts_with(k_trash_prefix)) CKPT_CHECK(sweep_trash(dir, name, inc.number));
                if (name.starts_with(k_temp_prefix) && (ended || inc.number < m_incarnation))
                    CKPT_CHECK(m_job.volume.remove(dir + "/" + name));
            }
        }
        return {};
    }

private:
    Status check_unused(std::uint32_t incarnation) const {
        CKPT_TRY(const JobState now, scan(m_job));
        if (const auto successor = successor_of(now, m_incarnation))
            return fail(Code::not_permitted,
                        "incarnation " + std::to_string(*successor) + " of the job has taken over");
        if (const auto claimed = claimed_up_to(now); claimed && incarnation <= *claimed)
            return fail(Code::busy, "another job goes on from it");
        return {};
    }

    // Whoever has renamed it may be at work on another node, and about to put it back: taken away under a
    // name that only we know, it is either theirs or ours. The same records say whether it is needed.
    Status sweep_trash(const std::string& dir, const std::string& name, std::uint32_t incarnation) {
        std::random_device random;
        const std::string found = dir + "/" + name;
        const std::string ours =
            std::format("{}/{}swept-{:08x}{:08x}", dir, k_trash_prefix, random(), random());
        const Status taken = m_job.volume.rename(found, ours);
        if (!taken) return taken.error().code == Code::not_found ? Status{} : taken;
        const Status unused = check_unused(incarnation);
        if (unused) return m_job.volume.remove(ours);
        CKPT_CHECK(m_job.volume.rename(ours, found));
        const Code why = unused.error().code;
        return why == Code::not_permitted || why == Code::busy ? Status{} : unused;
    }

    const JobAt& m_job;
    std::uint32_t m_incarnation;
};

// What stays of the candidates: everything down to the `keep`-th whose manifest verifies. Generations that
// cannot be judged stay only while that many have not been found.
std::vector<GenerationId> kept(const Choice& choice, std::uint32_t keep, const auto& is_good) {
    std::vector<GenerationId> stay;
    std::uint32_t good = 0;
    for (const GenerationId id : choice.candidates) {
        if (good == keep) return stay;
        stay.push_back(id);
        if (is_good(id)) ++good;
    }
    if (good < keep) stay.insert(stay.end(), choice.doubtful.begin(), choice.doubtful.end());
    return stay;
}

Status remove_except(Remover& remover, const JobState& state, std::uint32_t incarnation,
                     const std::vector<GenerationId>& stay) {
    Status first;
    const auto claimed = claimed_up_to(state);
    for (const IncarnationState& inc : state.incarnations) {
        if (inc.number > incarnation || (claimed && inc.number <= *claimed)) continue;
        for (const std::uint32_t generation : inc.generations) {
            const GenerationId id{inc.number, generation};
            if (std::ranges::find(stay, id) != stay.end()) continue;
            auto removed = remover.remove(id);
            if (!removed && removed.error().code == Code::not_permitted) return removed;
            if (!removed && removed.error().code == Code::busy)
                return first;                       // as if it had been claimed before
            if (!removed && first) first = removed; // the others may still go
        }
    }
    return first;
}

} // namespace

Status prune(const JobAt& job, std::uint32_t incarnation, std::uint32_t keep) {
    CKPT_TRY(const JobState state, scan(job));
    if (successor_of(state, incarnation)) return {};
    Remover remover(job, incarnation);
    CKPT_CHECK(remover.sweep(state));
    const auto stay = kept(choose(state, incarnation), keep,
                           [&](GenerationId id) { return verified_manifest(job, id).has_value(); });
    CKPT_CHECK(remove_except(remover, state, incarnation, stay));
    return sweep_packs(job, incarnation);
}

Status sweep_ended(const JobAt& job, std::uint32_t incarnation) {
    CKPT_TRY(const JobState state, scan(job));
    if (successor_of(state, incarnation)) return {};
    CKPT_CHECK(Remover(job, incarnation).sweep(state, true));
    return sweep_packs(job, incarnation);
}

Status drop_all(const JobAt& job, std::uint32_t incarnation) {
    CKPT_TRY(const JobState state, scan(job));
    if (successor_of(state, incarnation)) return {};
    Remover remover(job, incarnation);
    CKPT_CHECK(remover.sweep(state, true));
    CKPT_CHECK(remove_except(remover, state, incarnation, {}));
    return sweep_packs(job, incarnation);
}

} // namespace ckpt::store
