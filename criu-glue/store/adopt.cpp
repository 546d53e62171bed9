// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/adopt.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <format>
#include <set>

#include "os/safe_path.hpp"
#include "store/choice.hpp"
#include "store/generation.hpp"
#include "store/image_copy.hpp"
#include "store/scan.hpp"
#include "store/seal.hpp"

namespace ckpt::store {
namespace {

// How often the choice is made anew because a commit pruned what had been chosen. Every round needs a new
// commit of the incarnation before, which has ended.
constexpr int k_rounds = 8;

// Failures that will be the same tomorrow: the generation is bad and an older one may be taken. Anything else
// (ESTALE, EACCES, EMFILE, a file server that does not answer) says nothing about it, and falling back would
// throw good work away for good.
bool is_damage(const Error& error) {
    constexpr std::array k_damage{0, EIO, ENOENT, ENOTDIR, EISDIR, ELOOP, ENXIO, EUCLEAN, EBADMSG};
    return std::ranges::find(k_damage, error.errnum) != k_damage.end();
}

// A failure to read the store, as opposed to one to write the local copy or the record.
Error of_store(Error error) {
    error.code = Code::store_corrupt;
    return error;
}

class Adopter {
public:
    Adopter(const AdoptSpec& spec, const SealKey& key, int job, int own_dir)
        : m_spec(spec), m_key(key), m_job(job), m_own_dir(own_dir) {}

    Result<Adoption> run() {
        CKPT_CHECK(require_empty_target());
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
            CKPT_TRY(JobState state, scan(m_job, m_spec.owner, m_key));
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
            if ((m_spec.before && id >= *m_spec.before) || m_passed_over.contains(id)) continue;
            CKPT_TRY(const Try outcome, try_one(id));
            if (outcome != Try::passed_over) return outcome;
        }
        return Try::passed_over;
    }

    Result<Try> try_one(GenerationId id) {
        CKPT_TRY(const Try sound, check_manifest(id));
        if (sound != Try::taken) return sound;
        CKPT_CHECK(record(id));
        // Opened again, and used, only now: prune() removes nothing that a record names, and what it renamed
        // before the record could be seen is not found here any more.
        const auto generation = open_generation(m_job, id);
        if (!generation && generation.error().code == Code::not_found) return Try::vanished;
        if (!generation) return pass_over(id, of_store(generation.error()));
        m_result.id = id;
        m_result.adopted_before = adoptions_in_a_row(m_state, id, m_spec.incarnation);
        m_result.taken_at = m_manifest.taken_at;
        m_result.tree_was_stopped = (m_manifest.tree_was_stopped || was_its_last(id)) && !was_continued(id);
        const PartEntry* part = m_manifest.part(m_spec.step_id, m_spec.task_id);
        if (part == nullptr) return Try::taken; // the step began after the cut: nothing to unpack
        const auto unpacked = unpack(generation->get(), *part);
        if (!unpacked) return pass_over(id, unpacked.error());
        m_result.found = Found::generation;
        m_result.node = part->node;
        return Try::taken;
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
    Result<Try> check_manifest(GenerationId id) {
        const auto generation = open_generation(m_job, id);
        if (!generation && generation.error().code == Code::not_found) return Try::vanished;
        auto manifest = generation ? verified_manifest(generation->get(), m_spec.owner, id, m_key)
                                   : tl::unexpected(generation.error());
        if (!manifest) return pass_over(id, of_store(manifest.error()));
        m_manifest = std::move(*manifest);
        return Try::taken;
    }

    Status unpack(int generation, const PartEntry& part) {
        const auto dir = open_dir(generation, part_dir_name(part.step_id, part.task_id));
        if (!dir) return tl::unexpected(of_store(dir.error()));
        auto unpacked = unpack_files(dir->get(), m_spec.target, part);
        if (!unpacked) CKPT_CHECK(clear_target());
        return unpacked;
    }

    // The next older one may be tried only if it is the generation that is bad; anything else ends the
    // adoption.
    Result<Try> pass_over(GenerationId id, const Error& error) {
        if (error.code != Code::store_corrupt || !is_damage(error)) return tl::unexpected(error);
        m_passed_over.insert(id);
        m_result.skipped.push_back(std::format("{} is skipped: {}", to_text(id), error.what));
        return Try::passed_over;
    }

    // No candidate is left.
    Status conclude(const Choice& choice) {
        m_result.id = {};
        if (!choice.doubt.empty()) m_result.skipped.push_back(choice.doubt + "; what is older is not used");
        if (choice.lost)
            m_result.skipped.push_back(to_text(*choice.lost) + " is lost; it had been adopted before");
        if (!choice.candidates.empty() || !choice.doubtful.empty() || choice.hidden || choice.lost) {
            m_result.found = Found::unusable;
            return {};
        }
        m_result.found = choice.completed ? Found::completed : Found::nothing;
        if (const IncarnationState* last = m_state.incarnation(m_spec.incarnation - 1);
            choice.completed && last != nullptr && last->completed.state == RecordState::valid) {
            m_result.end_again = last->completed.value.will_be_requeued;
            m_result.wait_status = last->completed.value.wait_status;
        }
        auto recorded = record(std::nullopt);
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

    // Makes `from` what this incarnation adopted. A generation of its own leaves the record alone: the record
    // limits older incarnations only.
    Status record(std::optional<GenerationId> from) {
        if (from && from->incarnation == m_spec.incarnation) return {};
        if (m_on_disk.state == RecordState::valid && m_on_disk.value.from == from) return {};
        m_on_disk = {RecordState::valid, {from}, {}};
        return write_adopted(m_own_dir, m_spec.owner, m_spec.incarnation, m_on_disk.value, m_key);
    }

    // Nothing was adopted. A caller who asked for something older has given up on what the record names: it
    // goes, so that the next incarnation, perhaps on a better node, may choose among all of them again.
    void put_record_back(bool answered) {
        const bool withdraw = answered && m_spec.before && !m_has_own;
        if (m_before.state == RecordState::damaged) return;
        if (m_before.state == RecordState::absent || withdraw) {
            if (m_on_disk.state != RecordState::absent) (void)remove_adopted(m_own_dir);
        } else {
            (void)record(m_before.value.from);
        }
    }

    Status require_empty_target() const {
        CKPT_TRY(const auto names, list_dir(m_spec.target));
        if (!names.empty()) return fail(Code::internal, "the directory for the images is not empty");
        return {};
    }
    Status clear_target() const {
        CKPT_TRY(const auto names, list_dir(m_spec.target));
        for (const std::string& name : names)
            CKPT_CHECK(remove_tree(m_spec.target, name));
        return {};
    }

    const AdoptSpec& m_spec;
    const SealKey& m_key;
    int m_job;
    int m_own_dir;
    Adoption m_result;
    JobState m_state;    // of this round
    Manifest m_manifest; // of the candidate at hand
    std::set<GenerationId> m_passed_over;
    Record<Adopted> m_before;  // this incarnation's record when we came
    Record<Adopted> m_on_disk; // and now
    bool m_has_own = false;    // this incarnation has committed
};

} // namespace

Result<Adoption> adopt(const Base& base, const ClusterKey& key, const AdoptSpec& spec) {
    CKPT_TRY(const SealKey seal_key, derive_seal_key(key, spec.owner));
    const std::string action = std::format("cannot look for generations in {}/{}/{}", base.path,
                                           spec.owner.cluster, job_dir_name(spec.owner));
    const auto job = make_job_dir(base, spec.owner);
    if (!job) return tl::unexpected(store_error(job.error(), action));
    const auto own = make_durable_dir(job->get(), incarnation_dir_name(spec.incarnation));
    if (!own) return tl::unexpected(store_error(own.error(), action));
    auto adoption = Adopter(spec, seal_key, job->get(), own->get()).run();
    if (!adoption) return tl::unexpected(store_error(adoption.error(), action));
    return adoption;
}

} // namespace ckpt::store
