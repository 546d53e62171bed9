// SPDX-License-Identifier: GPL-2.0-or-later
// Between ckptd and the two processes that reach the store: ckpt-sealer, and ckpt-writer for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compat/needs.hpp"
#include "wire/worker.hpp"

namespace ckpt::wire {

// ---- ckpt-writer ----

// Serves the user's directory in the store over the stream socket that comes with it (volume/serve.hpp), as
// the user, until the other end goes.
struct WriterRequest {
    static constexpr std::uint16_t k_type = 46;
    std::string base;        // as in StorePlace
    UserIds user;            // gid k_unknown: the name service says what the user's groups are
    bool make = false;       // the directory when it is missing, and nothing above it
    bool is_sites = false;   // policy names it, not the user: root may make it
    std::string above = "/"; // the part of it that an admin has named (policy/resolve.hpp:admins_part)
    static constexpr std::uint32_t k_unknown = 0xffffffff;
    template <class V>
    void fields(V& v) {
        v(base, user, make, is_sites, above);
    }
};
struct WriterResult {
    static constexpr std::uint16_t k_type = 47;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// ---- ckpt-sealer ----
// Descriptors of every request: first a stream to ckpt-writer, then the key file, then its own.

// Where a job's generations are, and whose they must be.
struct StorePlace {
    std::string base; // the user's directory
    std::string cluster;
    std::string uuid;
    std::uint32_t job_id = 0;
    std::uint32_t uid = 0;
    std::uint32_t incarnation = 0; // the one this node runs
    template <class V>
    void fields(V& v) {
        v(base, cluster, uuid, job_id, uid, incarnation);
    }
};

// One task's images within a generation.
struct Part {
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    std::string node;
    std::uint64_t frozen_us = 0;
    std::uint64_t image_bytes = 0;
    std::uint32_t processes = 0;
    std::string criu_version;
    std::uint64_t stand_in = 0; // of a step's task, see store/manifest.hpp; 0 = of the batch script
    template <class V>
    void fields(V& v) {
        v(step_id, task_id, node, frozen_us, image_bytes, processes, criu_version, stand_in);
    }
};

// A task of a step that had ended at the cut, while others of it ran.
struct ExitedTask {
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(stand_in, task_id, wait_status);
    }
};

// Which task of a step a generation has images of.
struct StepPart {
    std::uint64_t stand_in = 0;
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    template <class V>
    void fields(V& v) {
        v(stand_in, step_id, task_id);
    }
};

// Of policy.retention: times in seconds, sizes in bytes, 0 = no limit (of after_end: nothing stays).
struct Retention {
    std::uint64_t after_end = 0;
    std::uint64_t max_age = 0;
    std::uint64_t user_limit = 0;
    std::uint32_t min_free_ppm = 0; // millionths of the file system
    template <class V>
    void fields(V& v) {
        v(after_end, max_age, user_limit, min_free_ppm);
    }
};

// Makes the images in the descriptors (one directory per part, same order) a generation; with parts that
// other nodes seal (SealRequest), all of them or nothing. Then it says CommitReady, and when its own are
// sealed it waits for CommitGoOn.
struct CommitRequest {
    static constexpr std::uint16_t k_type = 50;
    StorePlace place;
    std::uint32_t generation = 0;
    std::uint32_t keep = 0;    // older ones are pruned after the commit
    std::int64_t taken_at = 0; // Unix seconds of the cut
    std::int64_t since = 0;    // Unix seconds: start of the incarnation
    std::uint32_t cpus = 0;    // of the job; 0 = not known
    std::string reason;        // "interval", "requeue", "on demand", …
    bool tree_was_stopped = false;
    std::uint32_t compression = 0; // zstd's level
    std::uint64_t bandwidth = 0;   // bytes per second, 0 = no limit
    std::string leases;            // with lease_slots > 0: directory with the cluster's slots for commits
    std::uint32_t lease_slots = 0;
    Retention retention;          // what it must leave room for
    bool has_generations = false; // the job's directory has to be there
    std::vector<Part> parts;
    compat::Needs needs; // of each of them
    std::vector<ExitedTask> exited;
    std::string step_dir;            // AdoptResult's
    std::vector<StepPart> elsewhere; // parts that other nodes seal
    std::uint32_t elsewhere_ms = 0;  // how long it waits for them when its own are sealed
    template <class V>
    void fields(V& v) {
        v(place, generation, keep, taken_at, since, cpus, reason, tree_was_stopped, compression, bandwidth,
          leases, lease_slots, retention, has_generations, parts, needs, exited, step_dir, elsewhere,
          elsewhere_ms);
    }
};
// While a commit with parts elsewhere is under way: other nodes can seal theirs now.
struct CommitReady {
    static constexpr std::uint16_t k_type = 63;
    template <class V>
    void fields(V& v) {
        v();
    }
};
// ckptd's answer, at any time after it: all parts elsewhere are sealed. With an error, or without it, the
// commit is given up.
struct CommitGoOn {
    static constexpr std::uint16_t k_type = 64;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};
struct CommitResult {
    static constexpr std::uint16_t k_type = 51;
    Outcome outcome;
    std::uint64_t stored_bytes = 0;
    std::vector<std::string> notes; // what went wrong after the generation was safe: old ones not removed
    template <class V>
    void fields(V& v) {
        v(outcome, stored_bytes, notes);
    }
};

// Seals the images in the descriptors (one directory per part, same order) for a generation that another node
// commits, and which has said CommitReady. Durable when it is answered; a part of a generation only when that
// commit succeeds.
struct SealRequest {
    static constexpr std::uint16_t k_type = 65;
    StorePlace place;
    std::uint32_t generation = 0;
    std::uint32_t compression = 0; // zstd's level
    std::uint64_t bandwidth = 0;   // bytes per second, 0 = no limit
    std::vector<Part> parts;
    compat::Needs needs; // of each of them
    template <class V>
    void fields(V& v) {
        v(place, generation, compression, bandwidth, parts, needs);
    }
};
struct SealResult {
    static constexpr std::uint16_t k_type = 66;
    Outcome outcome;
    std::uint64_t stored_bytes = 0;
    template <class V>
    void fields(V& v) {
        v(outcome, stored_bytes);
    }
};

// The user's jobs with ids from `first` to `last`, or some of them.
struct JobRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    bool operator==(const JobRange&) const = default;
    template <class V>
    void fields(V& v) {
        v(first, last);
    }
};

// What should this incarnation start from? Looks for the newest generation that verifies and that no
// successor has fenced, unpacks it into the descriptors (one directory per wanted part) and durably records
// the adoption. A generation that does not verify is skipped and named in `skipped`; `before` > 0 asks for an
// older one than that. One that `node` does not fit is not skipped: then the answer is Code::node_unfit, and
// nothing is unpacked or recorded.
struct AdoptRequest {
    static constexpr std::uint16_t k_type = 52;
    StorePlace place;
    std::uint32_t step_id = 0;            // of the task that is, or stands for, the script
    std::uint32_t before_incarnation = 0; // with before_generation: only generations older than this pair
    std::uint32_t before_generation = 0;
    std::uint32_t here_incarnation = 0; // with here_generation > 0: its images are on this node already
    std::uint32_t here_generation = 0;
    std::uint32_t other_job = 0;        // a job of the user's to go on from, the first time; 0 = none
    std::uint32_t other_generation = 0; // of that job; 0 = its newest
    std::string cluster;                // with other_job: slurmctld's; "" = it did not answer
    std::vector<JobRange> unfinished;   // the user's jobs there that have not ended
    std::string why_unknown;            // why it did not answer
    compat::Node node;                  // that asks
    std::string node_name;              // Slurm's
    template <class V>
    void fields(V& v) {
        v(place, step_id, before_incarnation, before_generation, here_incarnation, here_generation, other_job,
          other_generation, cluster, unfinished, why_unknown, node, node_name);
    }
};
enum class Found : std::uint8_t {
    nothing = 0,    // no generation was ever committed: start fresh
    generation = 1, // unpacked
    completed = 2,  // the job ran to its end in an earlier incarnation: start fresh, never restore
    unusable = 3    // generations exist, none of them verifies here
};
// How an incarnation ended.
enum class HowEnded : std::uint8_t {
    completed = 0, // or not on record
    out_of_memory = 1,
    fault = 2,  // SIGSEGV or the like
    stopped = 3 // it goes on elsewhere, and nothing of it has run on after `generation`
};
struct AdoptResult {
    static constexpr std::uint16_t k_type = 53;
    Outcome outcome;
    Found found = Found::nothing;
    std::uint32_t incarnation = 0;
    std::uint32_t generation = 0;
    std::uint32_t of_job = 0; // whose generation it is, if it is another job's
    bool is_here = false;     // nothing was unpacked: it is the one that the node has
    std::int64_t taken_at = 0;
    std::int64_t since = 0; // Unix seconds: when the incarnation that took it had started; 0 = not known
    std::uint32_t cpus = 0; // that the job had then; 0 = not known
    std::string node;       // that took it
    bool tree_was_stopped = false;
    std::uint32_t newest_generation = 0; // highest number ever used for this job
    std::uint32_t adopted_before = 0;    // incarnations in a row, up to this one, that started from it too
    bool end_again = false;              // of `completed`: this incarnation is the one that nobody wanted ...
    std::int32_t wait_status = 0;        // ... and ends as the one before did
    HowEnded last_ended = HowEnded::completed; // the incarnation before this one
    std::uint64_t last_memory_limit = 0;       // of out_of_memory, bytes; 0 = none
    std::int32_t last_signal = 0;              // of fault
    bool fault_again =
        false; // and the one before it had come to the same fault, and nothing new was saved since
    std::vector<std::string> skipped; // one line per generation that did not verify
    std::vector<StepPart> steps;      // that the generation has besides
    std::vector<ExitedTask> exited;
    std::string step_dir; // name of the directory where srun's stand-ins were bound; "" = there were none
    template <class V>
    void fields(V& v) {
        v(outcome, found, incarnation, generation, of_job, is_here, taken_at, since, cpus, node,
          tree_was_stopped, newest_generation, adopted_before, end_again, wait_status, last_ended,
          last_memory_limit, last_signal, fault_again, skipped, steps, exited, step_dir);
    }
};

// Unpacks one more part of what the incarnation of `place` has adopted into the descriptor; Code::node_unfit
// as with AdoptRequest.
struct PartRequest {
    static constexpr std::uint16_t k_type = 60;
    StorePlace place;
    std::uint32_t of_incarnation = 0; // that of AdoptResult: another one is not taken
    std::uint32_t of_generation = 0;
    std::uint64_t stand_in = 0;
    std::uint32_t task_id = 0;
    compat::Node node; // that asks
    template <class V>
    void fields(V& v) {
        v(place, of_incarnation, of_generation, stand_in, task_id, node);
    }
};
struct PartResult {
    static constexpr std::uint16_t k_type = 61;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// The application ended by itself: no later incarnation may restore over its finished output. Unless it ended
// by a failure: then its generations stay, and a later incarnation learns of it.
struct CompleteRequest {
    static constexpr std::uint16_t k_type = 54;
    StorePlace place;
    std::int32_t wait_status = 0;
    bool drop_generations = false; // ended with status 0: the images are of no use any more
    bool will_be_requeued = false; // slurmctld will start it once more, against everybody's will
    HowEnded how = HowEnded::completed;
    std::uint64_t memory_limit = 0; // of out_of_memory, bytes; 0 = none
    std::int32_t signal = 0;        // of fault
    std::uint32_t generation = 0;   // of stopped
    bool has_generations = false;   // then a store that is not there is a failure, else nothing to record in
    template <class V>
    void fields(V& v) {
        v(place, wait_status, drop_generations, will_be_requeued, how, memory_limit, signal, generation,
          has_generations);
    }
};
struct CompleteResult {
    static constexpr std::uint16_t k_type = 55;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// Writes one JSON object per generation of the user's into the descriptor.
struct InspectRequest {
    static constexpr std::uint16_t k_type = 56;
    std::uint32_t job_id = 0; // 0 = all
    bool details = false;
    bool verify = false;           // reads the images back
    std::uint32_t uid = k_anybody; // whose: what says to be another user's is not verified
    static constexpr std::uint32_t k_anybody = 0xffffffff;
    std::uint32_t history_uid = k_anybody; // whose history; anybody's: none
    template <class V>
    void fields(V& v) {
        v(job_id, details, verify, uid, history_uid);
    }
};
struct InspectResult {
    static constexpr std::uint16_t k_type = 57;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// Removes what retention does not keep of the user's, and writes one JSON object for each removal into the
// descriptor (docs/format.md, "Retention").
struct PruneRequest {
    static constexpr std::uint16_t k_type = 58;
    Retention retention;
    std::uint32_t uid = 0; // whose store it is
    bool dry_run = false;
    std::string cluster;          // slurmctld's; "" = it did not answer
    std::vector<JobRange> active; // its jobs that have not ended
    std::string note;             // why it did not answer: passed on to whoever reads the descriptor
    template <class V>
    void fields(V& v) {
        v(retention, uid, dry_run, cluster, active, note);
    }
};
struct PruneResult {
    static constexpr std::uint16_t k_type = 59;
    Outcome outcome;
    std::uint32_t generations = 0; // that went
    std::uint32_t directories = 0; // that went and held none
    std::uint64_t bytes = 0;
    std::uint32_t stayed = 0; // that should have gone
    std::string problem;      // of the first of those: which, and why
    template <class V>
    void fields(V& v) {
        v(outcome, generations, directories, bytes, stayed, problem);
    }
};

} // namespace ckpt::wire
