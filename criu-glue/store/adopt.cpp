// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/adopt.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <format>
#include <set>
#include <string>
#include <utility>

#include "compat/fits.hpp"
#include "os/safe_path.hpp"
#include "store/choice.hpp"
#include "store/damage.hpp"
#include "store/history.hpp"
#include "store/manifest.hpp"
#include "store/other_job.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

// How often the choice is made anew because a commit pruned what had been chosen. Every round needs a new
// commit of the incarnation before, which has ended.
constexpr int k_rounds = 8;
constexpr std::uint32_t k_batch_step = 0xfffffffb; // slurm.h: SLURM_BATCH_SCRIPT

// A failure to read the store, as opposed to one to write the local copy or the record.
Error of_store(Error error) {
    error.code = Code::store_corrupt;
    return error;
}

Status require_empty(int target) {
    CKPT_TRY(const auto names, list_dir(target));
    if (!names.empty()) return fail(Code::internal, "the directory for the images is not empty");
    return {};
}

Status clear(int target) {
    CKPT_TRY(const auto names, list_dir(target));
    for (const std::string& name : names)
        CKPT_CHECK(remove_tree(target, name));
    return {};
}

// What is older was taken on such a node as well, as a rule, and would lose work on one that fits: it is the
// node that has to be another one.
Status require_fit(const compat::Node& node, const Manifest& manifest, const PartEntry& part) {
    const auto missing = compat::missing_on(node, part.needs);
    if (missing.empty()) return {};
    return fail(Code::node_unfit, std::format("generation {} needs what this node does not have: {}",
                                              manifest.id.generation, compat::in_one_line(missing)));
}

// Leaves nothing in `target` when it fails.
Result<ImagesRead> unpack_into(const JobAt& job, const Manifest& manifest, const PartEntry& part,
                               int target) {
    const SealKey* key = job.keys.find(manifest.key_id);
    if (key == nullptr) return fail(Code::store_corrupt, "sealed with a key that is not here");
    const ImagesPlace place{job.volume, job.dir,
                            job.generation(manifest.id) + "/" + index_name(part.step_id, part.task_id), *key};
    auto read = unseal_images(place, part.images, target);
    if (!read) CKPT_CHECK(clear(target));
    return read;
}

class Adopter {
public:
    Adopter(const Store& store, const JobAt& job, const AdoptSpec& spec)
        : m_store(store), m_job(job), m_spec(spec) {}

    Result<Adoption> run() {
        CKPT_CHECK(require_empty(m_spec.target));
        auto done = search();
        const bool adopted = done && m_result.found != Found::unusable;
        if (!adopted) put_record_back(done.has_value());
        if (!done) return tl::unexpected(done.error());
        return std::move(m_result);
    }

private:
    enum class Try : std::uint8_t { taken, passed_over, vanished };

    Status search() {
        for (int round = 0; round < k_rounds; ++round) {
            CKPT_TRY(JobState state, scan(m_job));
            if (round == 0) remember(state);
            // What an earlier round recorded is not a decision yet and must not fence what has appeared
            // since.
            for (IncarnationState& inc : state.incarnations)
                if (inc.number == m_spec.incarnation) inc.adopted = m_before;
            m_result.newest_generation = state.newest_generation;
            m_result.last_failure = last_failure(state, m_spec.incarnation);
            const Choice choice = choose(state, m_spec.incarnation);
            m_state = std::move(state);
            CKPT_TRY(const Try last, try_each(choice));
            if (last == Try::taken) return {};
            if (last == Try::passed_over) return conclude(choice);
        }
        return fail(Code::busy, "generations come and go while one is being chosen");
    }

    // passed_over: no candidate was left to try.
    Result<Try> try_each(const Choice& choice) {
        for (const GenerationId id : choice.candidates) {
            if (m_spec.before && id >= *m_spec.before) continue;
            CKPT_TRY(const Try outcome, try_one(m_job, id, std::nullopt));
            if (outcome != Try::passed_over) return outcome;
        }
        return try_elsewhere(choice);
    }

    // The other job that this one has come from, or is to come from: behind everything of its own.
    Result<Try> try_elsewhere(const Choice& choice) {
        std::optional<Adopted> from = choice.elsewhere;
        m_first = !from && is_first_start(choice);
        if (m_first) {
            CKPT_CHECK(require_known_jobs());
            CKPT_TRY(from,
                     choose_other_job(m_store, m_spec.owner, m_spec.other_job, m_spec.other_generation));
        }
        if (!from || !from->of || !from->from || m_spec.before) return Try::passed_over;
        const Owner owner{m_spec.owner.cluster, m_spec.owner.uid, from->of->job_id, from->of->uuid};
        CKPT_TRY(const JobAt other, job_at(m_store, owner));
        CKPT_TRY(const auto candidates, generations_up_to(other, *from->from));
        for (const GenerationId id : candidates) {
            CKPT_TRY(const Try outcome, try_one(other, id, from->of));
            if (outcome != Try::passed_over) return outcome;
        }
        m_other_lost = candidates.empty();
        return Try::passed_over;
    }

    [[nodiscard]] bool is_first_start(const Choice& choice) const {
        return m_spec.other_job != 0 && choice.candidates.empty() && choice.doubtful.empty() &&
               !choice.hidden && !choice.lost && !choice.completed && choice.doubt.empty();
    }

    Result<Try> try_one(const JobAt& job, GenerationId id, const std::optional<OtherJob>& of) {
        if (m_passed_over.contains({job.dir, id})) return Try::passed_over;
        CKPT_TRY(const Try sound, check_manifest(job, id));
        if (sound != Try::taken) return sound;
        if (const PartEntry* part = m_manifest.part_of(0, 0))
            CKPT_CHECK(require_fit(m_spec.node, m_manifest, *part));
        if (of) {
            CKPT_CHECK(require_script_if_had(*of));
            const Status claimed = claim(job);
            if (!claimed && claimed.error().code == Code::not_found) return Try::vanished;
            if (!claimed) return tl::unexpected(claimed.error());
        }
        CKPT_CHECK(record({id, of}));
        // Opened again, and used, only now: prune() removes nothing that a record names, and what it renamed
        // before the record could be seen is not found here any more.
        const auto again = verified_manifest(job, id);
        if (!again && again.error().code == Code::not_found) return Try::vanished;
        if (!again) return pass_over(job, id, of_store(again.error()));
        describe_chosen(id, of);
        // The script's, whatever step was it or stood for it then.
        const PartEntry* part = m_manifest.part_of(0, 0);
        if (part == nullptr) return Try::taken; // the step began after the cut: nothing to unpack
        m_result.node = part->node;
        m_result.is_here = !of && m_spec.here == id;
        const auto unpacked = m_result.is_here ? Status() : unpack(job, id, *part);
        // prune() may have renamed it for a moment, until it saw the record: looked at once more.
        if (!unpacked && unpacked.error().errnum == ENOENT && !std::exchange(m_missed, true))
            return Try::vanished;
        if (!unpacked) return pass_over(job, id, unpacked.error());
        m_result.found = Found::generation;
        return Try::taken;
    }

    // A shell has its script open, which slurmd has put where only a batch step finds it.
    [[nodiscard]] Status require_script_if_had(const OtherJob& of) const {
        if (m_spec.step_id == k_batch_step || m_manifest.part(k_batch_step, 0) == nullptr) return {};
        return fail(
            Code::restore_source,
            std::format("job {} has a batch script, with which no step of salloc can go on", of.job_id),
            std::format("sbatch --checkpoint-restore={}", of.job_id));
    }

    void describe_chosen(GenerationId id, const std::optional<OtherJob>& of) {
        m_result.id = id;
        m_result.of_job = of ? of->job_id : 0;
        m_result.taken_at = m_manifest.taken_at;
        m_result.since = m_manifest.since;
        m_result.cpus = m_manifest.cpus;
        m_result.adopted_before = of ? 0 : adoptions_in_a_row(m_state, id, m_spec.incarnation);
        const bool stopped = m_manifest.tree_was_stopped || (!of && was_its_last(id));
        m_result.tree_was_stopped = stopped && !of && !was_continued(id);
        m_result.exited = m_manifest.exited;
        m_result.step_dir = m_manifest.step_dir;
        m_result.steps.clear();
        for (const PartEntry& part : m_manifest.parts)
            if (part.stand_in != 0) m_result.steps.push_back({part.stand_in, part.step_id, part.task_id});
    }

    // What was chosen last was passed over after all.
    void forget_chosen() {
        m_result.id = {};
        m_result.of_job = 0;
        m_result.is_here = false;
        m_result.taken_at = m_result.since = 0;
        m_result.cpus = 0;
        m_result.node.clear();
        m_result.tree_was_stopped = false;
        m_result.adopted_before = 0;
        m_result.exited.clear();
        m_result.steps.clear();
        m_result.step_dir.clear();
    }

    // Nothing of its incarnation ran on after it, which was certain only when it had been committed.
    [[nodiscard]] bool was_its_last(GenerationId id) const {
        const IncarnationState* inc = m_state.incarnation(id.incarnation);
        return inc != nullptr && inc->stopped.state == RecordState::valid &&
               inc->stopped.value.generation == id.generation;
    }

    // An incarnation in between has started from it, and has written since.
    [[nodiscard]] bool was_continued(GenerationId id) const {
        return std::ranges::any_of(m_state.incarnations, [&](const IncarnationState& inc) {
            return inc.number > id.incarnation && inc.number < m_spec.incarnation &&
                   inc.adopted.state != RecordState::absent;
        });
    }

    // Fills m_manifest; anything but `taken` when it does not verify.
    Result<Try> check_manifest(const JobAt& job, GenerationId id) {
        auto manifest = verified_manifest(job, id);
        if (!manifest && manifest.error().code == Code::not_found) return Try::vanished;
        if (!manifest) return pass_over(job, id, of_store(manifest.error()));
        m_manifest = std::move(*manifest);
        m_has_siblings = m_has_siblings || m_manifest.parts.size() > 1;
        return Try::taken;
    }

    Status unpack(const JobAt& job, GenerationId id, const PartEntry& part) {
        const auto read = unpack_into(job, m_manifest, part, m_spec.target);
        if (!read) return tl::unexpected(read.error());
        if (read->healed > 0)
            m_result.skipped.push_back(
                std::format("{} had {} damaged blocks, which were put right", to_text(id), read->healed));
        return {};
    }

    // The next older one may be tried only if it is the generation that is bad; anything else ends the
    // adoption.
    Result<Try> pass_over(const JobAt& job, GenerationId id, const Error& error) {
        if (error.code != Code::store_corrupt) return tl::unexpected(error);
        if (!is_damage(error)) return tl::unexpected(Error{Code::os, error.what, error.hint, error.errnum});
        m_passed_over.insert({job.dir, id});
        m_result.skipped.push_back(
            one_line({error.code, std::format("{} is skipped: {}", to_text(id), error.what), "", 0}));
        return Try::passed_over;
    }

    // No candidate is left.
    Status conclude(const Choice& choice) {
        forget_chosen();
        if (!choice.doubt.empty()) m_result.skipped.push_back(choice.doubt + "; what is older is not used");
        if (choice.lost)
            m_result.skipped.push_back(to_text(*choice.lost) + " is lost; it had been adopted before");
        if (m_other_lost) m_result.skipped.emplace_back("the other job has no generation any more");
        if (!choice.candidates.empty() || !choice.doubtful.empty() || choice.hidden || choice.lost ||
            choice.elsewhere || (m_spec.other_job != 0 && !choice.completed)) {
            m_result.found = Found::unusable;
            return {};
        }
        m_result.found = choice.completed ? Found::completed : Found::nothing;
        if (const IncarnationState* last = m_state.incarnation(m_spec.incarnation - 1);
            choice.completed && last != nullptr && last->completed.state == RecordState::valid) {
            m_result.end_again = last->completed.value.will_be_requeued;
            m_result.wait_status = last->completed.value.wait_status;
        }
        auto recorded = record({});
        // The first incarnation has no one to fence; it need not fail because the store is full.
        return m_spec.incarnation == 0 ? Status{} : recorded;
    }

    void remember(const JobState& state) {
        const IncarnationState* own = state.incarnation(m_spec.incarnation);
        if (own == nullptr) return;
        m_before = own->adopted;
        m_on_disk = m_before;
        m_has_own = !own->generations.empty();
    }

    // Makes `adopted` what this incarnation started from. A generation of its own leaves the record alone:
    // the record limits older incarnations only.
    Status record(const Adopted& adopted) {
        if (adopted.from && !adopted.of && adopted.from->incarnation == m_spec.incarnation) return {};
        if (m_on_disk.state == RecordState::valid && m_on_disk.value == adopted) return {};
        m_on_disk = {RecordState::valid, adopted, {}};
        return write_adopted(m_job, m_spec.incarnation, adopted);
    }

    Status require_known_jobs() const {
        if (m_spec.why_unknown.empty()) return {};
        return fail(
            Code::restore_source,
            std::format("whether job {} has ended is not known: {}", m_spec.other_job, m_spec.why_unknown),
            "scontrol release this one when slurmctld answers");
    }

    // The other job's generations stay from here on (retention.hpp). One without a directory any more has
    // none, which is seen when the generation is opened. Looked at again behind the claim: of two that come
    // at the same moment at least one sees the other, and goes back.
    Status claim(const JobAt& other) const {
        CKPT_TRY(const JobState state, scan(other));
        const GoingOn going{other.owner.job_id, m_spec.owner.job_id, m_spec.other_generation};
        if (m_first) CKPT_CHECK(may_go_on(going, state, m_spec.unfinished));
        if (state.incarnations.empty()) return {};
        const std::uint32_t incarnation = state.incarnations.front().number;
        CKPT_CHECK(write_claimed(other, incarnation, {m_spec.owner.job_id, std::time(nullptr)}));
        if (!m_first) return {};
        CKPT_TRY(const JobState again, scan(other));
        Status may = may_go_on(going, again, m_spec.unfinished);
        if (!may) (void)remove_claimed(other, incarnation, m_spec.owner.job_id);
        return may;
    }

    // Nothing was adopted. A caller who asked for something older has given up on what the record names: it
    // goes, so that the next incarnation, perhaps on a better node, may choose among all of them again.
    // Unless other tasks of the incarnation, which start on other nodes, may have taken what this one could
    // not: what they have started from stays on record for them.
    void put_record_back(bool answered) {
        const bool withdraw = answered && m_spec.before && !m_has_own;
        if (m_before.state == RecordState::damaged) return;
        if (m_before.state == RecordState::absent || withdraw) {
            if (m_on_disk.state != RecordState::absent && !m_has_siblings)
                (void)remove_adopted(m_job, m_spec.incarnation);
        } else {
            (void)record(m_before.value);
        }
    }

    const Store& m_store;
    const JobAt& m_job;
    const AdoptSpec& m_spec;
    Adoption m_result;
    JobState m_state;                                             // of this round
    Manifest m_manifest;                                          // of the candidate at hand
    std::set<std::pair<std::string, GenerationId>> m_passed_over; // with the directory of the job
    bool m_first = false;      // it comes to the other job for the first time
    bool m_missed = false;     // one was not where it had been a moment before
    bool m_other_lost = false; // the other job has nothing (any more)
    Record<Adopted> m_before;  // this incarnation's record when we came
    Record<Adopted> m_on_disk; // and now
    bool m_has_siblings = false;
    bool m_has_own = false; // this incarnation has committed
};

} // namespace

Result<Adoption> adopt(const Store& store, const AdoptSpec& spec) {
    CKPT_TRY(const JobAt job, job_at(store, spec.owner));
    const auto attempt = [&]() -> Result<Adoption> {
        CKPT_CHECK(make_job_dir(job));
        CKPT_CHECK(job.volume.make_dir(job.incarnation(spec.incarnation)));
        return Adopter(store, job, spec).run();
    };
    auto adoption = attempt();
    if (!adoption && adoption.error().code != Code::restore_source &&
        adoption.error().code != Code::node_unfit) // which say all
        return tl::unexpected(
            store_error(adoption.error(), "cannot look for generations in " + describe(job)));
    return adoption;
}

Status note_adoption(const Store& store, const AdoptSpec& spec, const Adoption& adoption,
                     const std::string& node) {
    CKPT_TRY(const JobAt job, job_at(store, spec.owner));
    Json event = {{"event", "start"},
                  {"at", static_cast<std::int64_t>(std::time(nullptr))},
                  {"incarnation", spec.incarnation},
                  {"node", node}};
    if (adoption.found == Found::generation) {
        event["from_incarnation"] = adoption.id.incarnation;
        event["from_generation"] = adoption.id.generation;
        if (adoption.of_job != 0) event["from_job"] = adoption.of_job;
        event["saved_s"] =
            adoption.since != 0 ? std::max<std::int64_t>(adoption.taken_at - adoption.since, 0) : 0;
        event["cpus"] = adoption.cpus;
    }
    if (adoption.found == Found::unusable) event["unusable"] = true;
    return add_to_history(job, std::move(event));
}

namespace {

// Whose generation `id` is that the incarnation has adopted. One of its own is on no record.
Result<Owner> owner_of_adopted(const Store& store, const PartSpec& spec) {
    CKPT_TRY(const JobAt own, job_at(store, spec.owner));
    const Record<Adopted> adopted = read_adopted(own, spec.incarnation);
    Owner owner = spec.owner;
    if (adopted.state == RecordState::valid && adopted.value.from == spec.id) {
        if (adopted.value.of) {
            owner.job_id = adopted.value.of->job_id;
            owner.uuid = adopted.value.of->uuid;
        }
        return owner;
    }
    if (spec.id.incarnation == spec.incarnation) return owner;
    return fail(Code::store_corrupt, "the job goes on from another generation");
}

} // namespace

Status unpack_part(const Store& store, const PartSpec& spec) {
    CKPT_CHECK(require_empty(spec.target));
    CKPT_TRY(const Owner owner, owner_of_adopted(store, spec));
    CKPT_TRY(const JobAt job, job_at(store, owner));
    const auto manifest = verified_manifest(job, spec.id);
    if (!manifest && manifest.error().code == Code::not_found)
        return fail(Code::store_corrupt, to_text(spec.id) + " is lost; it had been adopted before");
    if (!manifest) return tl::unexpected(manifest.error());
    const PartEntry* part = manifest->part_of(spec.stand_in, spec.task_id);
    if (part == nullptr) return fail(Code::store_corrupt, "the generation has no such part");
    CKPT_CHECK(require_fit(spec.node, *manifest, *part));
    return unpack_into(job, *manifest, *part, spec.target).map([](const auto&) {});
}

} // namespace ckpt::store
