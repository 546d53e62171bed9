// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/prune.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/choice.hpp"
#include "store/dirs.hpp"
#include "store/generation.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

// A generation leaves in three steps: renamed (no longer a generation, durably), checked once more, removed.
// A successor records what it adopts before it opens it (adopt.cpp), so either it no longer finds the
// generation, or its record is found here and the generation goes back to its place.
class Remover {
public:
    Remover(int job, const Owner& owner, const SealKey& key, std::uint32_t incarnation)
        : m_job(job), m_owner(owner), m_key(key), m_incarnation(incarnation) {}

    Status remove(GenerationId id) {
        CKPT_TRY(const Fd inc, open_dir(m_job, incarnation_dir_name(id.incarnation)));
        const std::string name = generation_dir_name(id.generation);
        const std::string trash = std::string(k_trash_prefix) + name;
        if (::renameat(inc.get(), name.c_str(), inc.get(), trash.c_str()) != 0)
            return fail_errno(Code::os, "rename " + name);
        CKPT_CHECK(sync_fd(inc.get(), "the incarnation's directory"));
        CKPT_TRY(const JobState now, scan(m_job, m_owner, m_key));
        if (const auto successor = successor_of(now, m_incarnation)) {
            if (::renameat(inc.get(), trash.c_str(), inc.get(), name.c_str()) != 0)
                return fail_errno(Code::os, "rename " + trash);
            CKPT_CHECK(sync_fd(inc.get(), "the incarnation's directory"));
            return fail(Code::not_permitted,
                        "incarnation " + std::to_string(*successor) + " of the job has taken over");
        }
        return remove_tree(inc.get(), trash);
    }

    // What a removal that was killed has left behind.
    Status sweep(const JobState& state) {
        for (const IncarnationState& inc : state.incarnations) {
            if (inc.number > m_incarnation || !inc.unreadable.empty()) continue;
            CKPT_TRY(const Fd dir, open_dir(m_job, incarnation_dir_name(inc.number)));
            CKPT_TRY(const auto names, list_dir(dir.get()));
            for (const std::string& name : names)
                if (name.starts_with(k_trash_prefix)) CKPT_CHECK(remove_tree(dir.get(), name));
        }
        return {};
    }

private:
    int m_job;
    const Owner& m_owner;
    const SealKey& m_key;
    std::uint32_t m_incarnation;
};

bool verifies(int job, const Owner& owner, GenerationId id, const SealKey& key) {
    const auto dir = open_generation(job, id);
    return dir && verified_manifest(dir->get(), owner, id, key);
}

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
    for (const IncarnationState& inc : state.incarnations) {
        if (inc.number > incarnation) continue;
        for (const std::uint32_t generation : inc.generations) {
            const GenerationId id{inc.number, generation};
            if (std::ranges::find(stay, id) != stay.end()) continue;
            auto removed = remover.remove(id);
            if (!removed && removed.error().code == Code::not_permitted) return removed;
            if (!removed && first) first = removed; // the others may still go
        }
    }
    return first;
}

} // namespace

Status prune(int job, const Owner& owner, const SealKey& key, std::uint32_t incarnation, std::uint32_t keep) {
    CKPT_TRY(const JobState state, scan(job, owner, key));
    if (successor_of(state, incarnation)) return {};
    Remover remover(job, owner, key, incarnation);
    CKPT_CHECK(remover.sweep(state));
    const auto stay = kept(choose(state, incarnation), keep,
                           [&](GenerationId id) { return verifies(job, owner, id, key); });
    return remove_except(remover, state, incarnation, stay);
}

Status drop_all(int job, const Owner& owner, const SealKey& key, std::uint32_t incarnation) {
    CKPT_TRY(const JobState state, scan(job, owner, key));
    if (successor_of(state, incarnation)) return {};
    Remover remover(job, owner, key, incarnation);
    CKPT_CHECK(remover.sweep(state));
    return remove_except(remover, state, incarnation, {});
}

} // namespace ckpt::store
