// SPDX-License-Identifier: GPL-2.0-or-later
// The messages on ckptd's socket. Who may send what is decided by the receiver from the kernel's word about
// the peer (os/socket.hpp:peer_of), never from a field. A shim lives as long as its job and meets the ckptd
// of the next release: what a message is made of never changes, a new form gets a new type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.hpp"

namespace ckpt::wire {

constexpr const char* k_socket_path = "/run/ckptd/ckptd.sock";

// ---- checkpoint.so (root in slurmstepd) to ckptd; each is answered by one Reply ----

struct OptionText {
    std::string name; // full option name, "checkpoint-interval"
    std::string value;
    template <class V>
    void fields(V& v) {
        v(name, value);
    }
};

// job_prolog: this job starts an incarnation on this node. What slurmd's credential says is believed.
struct JobOpen {
    static constexpr std::uint16_t k_type = 1;
    std::uint32_t job_id = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t restart_count =
        0; // SLURM_JOB_RESTART_COUNT of the prolog (prep_script_slurmd.c:_build_env)
    std::uint32_t nodes = 1;
    std::uint32_t cpus = 0;      // on all of them; 0 = not known
    std::uint32_t kill_wait = 0; // of slurm.conf, seconds; 0 = not known
    std::int64_t end_time = 0;   // of the time limit, Unix seconds; 0 = not known
    std::string user;
    std::string cluster;
    std::string uuid;    // 32 hex digits, made by sbatch's plugin; untrusted, names a directory only
    std::string node;    // this node's Slurm name
    std::string account; // these four: "" = not known; `qos` before Slurm 25.05
    std::string qos;
    std::string partition;
    std::string constraint;
    std::string unsupported;         // why no job can be checkpointed under Slurm's settings; "" = it can
    std::vector<OptionText> options; // as the user gave them, revalidated here
    template <class V>
    void fields(V& v) {
        v(job_id, uid, gid, restart_count, nodes, cpus, kill_wait, end_time, user, cluster, uuid, node,
          account, qos, partition, constraint, unsupported, options);
    }
};

// task_post_fork: a task that stands before its exec. The pid must be a child of the sending slurmstepd.
struct TaskRegister {
    static constexpr std::uint16_t k_type = 2;
    std::uint32_t job_id = 0;
    std::uint32_t step_id = 0; // SLURM_BATCH_SCRIPT for the batch script
    std::uint32_t task_id = 0; // global
    std::int32_t pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    bool batch = false;
    template <class V>
    void fields(V& v) {
        v(job_id, step_id, task_id, pid, uid, gid, groups, batch);
    }
};

// task_post_fork of a task that srun's stand-in has asked for (docs/steps.md).
struct StepTaskRegister {
    static constexpr std::uint16_t k_type = 6;
    std::uint32_t job_id = 0;
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0; // global within the step
    std::int32_t pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    std::uint64_t stand_in = 0;      // which one; untrusted, means something within the user's own job only
    std::uint32_t step_tasks = 0;    // of the step, on all its nodes
    std::uint32_t step_nodes = 0;    // of the step
    std::vector<OptionText> options; // --checkpoint and --checkpoint-interval, as srun got them
    template <class V>
    void fields(V& v) {
        v(job_id, step_id, task_id, pid, uid, gid, groups, stand_in, step_tasks, step_nodes, options);
    }
};

// task_post_fork of a task in an allocation of salloc (wire/allocation.hpp). Each step that stands for a
// script there has an identity of its own, which the steps that it asks for have too.
struct AllocationTaskRegister {
    static constexpr std::uint16_t k_type = 7;
    StepTaskRegister task; // stand_in 0: of the step that stands for the script; options: all that srun got
    std::string uuid;      // as JobOpen::uuid
    template <class V>
    void fields(V& v) {
        v(task, uuid);
    }
};

struct TaskExit {
    static constexpr std::uint16_t k_type = 3;
    std::uint32_t job_id = 0;
    std::uint32_t step_id = 0;
    std::uint32_t task_id = 0;
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(job_id, step_id, task_id, wait_status);
    }
};

// job_epilog: answered once every commit of the job on this node has ended, or after the policy's
// epilog_wait; with Code::busy when that must go on, and the asker asks again. slurmctld cannot start the job
// again before its last epilog (job_mgr.c:batch_requeue_fini).
struct JobEpilog {
    static constexpr std::uint16_t k_type = 4;
    std::uint32_t job_id = 0;
    template <class V>
    void fields(V& v) {
        v(job_id);
    }
};

struct Reply {
    static constexpr std::uint16_t k_type = 5;
    std::uint32_t code = 0;       // 0 = done, else a Code
    std::uint32_t wait_limit = 0; // JobOpen: seconds job_epilog may take
    std::string text;
    template <class V>
    void fields(V& v) {
        v(code, wait_limit, text);
    }
};

// ---- ckpt-shim (the user, the registered task) and ckptd; one connection for the life of the task ----

// Nothing of the user's is sent along: ckpt-engine takes the shim's descriptors when it needs them, as
// closing one, on a file server that hangs or a socket that lingers, may block.
struct ShimHello {
    static constexpr std::uint16_t k_type = 10;
    std::string script;            // the batch script slurmstepd gave as first argument, "" for steps
    std::int32_t status_pipe = -1; // number of the write end in the shim (wire/init_protocol.hpp)
    // The tree was started under a ckptd that is gone: ShimOrder::known is the answer, or none, or Answer
    // when it is not known.
    bool returning = false;
    std::int32_t root_pid = 0;   // of a tree that is the shim's child, 0 after a restore
    bool term_delivered = false; // a SIGTERM has reached the tree while no ckptd was there to ask
    template <class V>
    void fields(V& v) {
        v(script, status_pipe, returning, root_pid, term_delivered);
    }
};

// ShimHello, of a shim that keeps what belongs to a checkpoint and is not in its tree.
struct TaskHello {
    static constexpr std::uint16_t k_type = 16;
    std::string script;
    std::int32_t status_pipe = -1;
    bool returning = false;
    std::int32_t root_pid = 0;
    bool term_delivered = false;
    // Numbers in the shim: standard input, output and error of the tree; for the pipes of a step these are
    // the shim's own, not slurmstepd's.
    std::vector<std::int32_t> stdio;
    // A file in memory. What it holds when all is Settled is saved with the images as it is; the shim of the
    // restored tree gets it with ShimStart.
    std::int32_t state = -1;
    template <class V>
    void fields(V& v) {
        v(script, status_pipe, returning, root_pid, term_delivered, stdio, state);
    }
};

// To each shim while the trees of its job stand still: pass on what is on its way from and to the tree, write
// the file TaskHello::state, and answer with Settled. Comes again until everything is at rest.
struct Settle {
    static constexpr std::uint16_t k_type = 17;
    std::uint64_t round = 0;
    template <class V>
    void fields(V& v) {
        v(round);
    }
};
struct Settled {
    static constexpr std::uint16_t k_type = 18;
    static constexpr std::size_t k_sruns_max = 1024; // with more there is no checkpoint
    std::uint64_t round = 0;                         // Settle's: an answer may come late
    std::uint32_t code = 0;                          // 0, or why there can be no checkpoint
    std::string text;
    bool at_rest = false;            // nothing is left in pipes or in the shim that could be passed on
    std::vector<std::int32_t> sruns; // processes of the real srun that the shim has started and that live
    std::vector<std::uint64_t> stand_ins; // whose those are, in the same order
    bool has_stand_ins = false; // of the batch script: some stand-ins of srun are bound in their directory
    template <class V>
    void fields(V& v) {
        v(round, code, text, at_rest, sruns, stand_ins, has_stand_ins);
    }
};

// The batch script's shim: this srun has failed. slurmctld refuses steps of a job that it has requeued
// already, and the SIGTERM is on its way: the script, which goes on from here elsewhere, must not see such a
// failure. Answered by StepCleared, or by that SIGTERM.
struct StepDoubt {
    static constexpr std::uint16_t k_type = 28;
    std::uint64_t stand_in = 0;
    bool has_signal = false; // the script has sent it one
    template <class V>
    void fields(V& v) {
        v(stand_in, has_signal);
    }
};
struct StepCleared { // its failure is its own
    static constexpr std::uint16_t k_type = 29;
    std::uint64_t stand_in = 0;
    template <class V>
    void fields(V& v) {
        v(stand_in);
    }
};

// The batch script's shim, after a restore, and when it comes back to a ckptd: the stand-ins that there are.
// Of others nothing is to be awaited or kept.
struct StepsKnown {
    static constexpr std::uint16_t k_type = 20;
    static constexpr std::size_t k_stand_ins_max = 4096; // the shim takes no more at a time
    std::vector<std::uint64_t> stand_ins;
    template <class V>
    void fields(V& v) {
        v(stand_ins);
    }
};

// The batch script's shim: this srun has ended, and its stand-in knows how; or the stand-in is gone.
struct StepOver {
    static constexpr std::uint16_t k_type = 19;
    std::uint64_t stand_in = 0;
    template <class V>
    void fields(V& v) {
        v(stand_in);
    }
};

enum class Start : std::uint8_t {
    fresh = 0, // start the application natively, then send TreeStarted
    restored =
        1,    // the tree runs; descriptors: pidfd of its root, and what TaskHello::state was, if it was saved
    held = 2, // the job was held or requeued instead of starting from zero: stay until killed
    unmanaged = 3, // run natively, checkpoints are off for this task; `line` says why
    ended = 4,     // end at once, with `wait_status`
    alone = 5      // become the application: Slurm's signals reach it anyway; `line` says why
};

struct ShimStart {
    static constexpr std::uint16_t k_type = 11;
    Start start = Start::fresh;
    std::int32_t root_pid = 0;
    std::string line; // printed into the job's output when not empty
    // 0 = none. Its arrival asks for a checkpoint: the shim sends CreateRequest, the application never sees
    // it.
    std::int32_t checkpoint_signal = 0;
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(start, root_pid, line, checkpoint_signal, wait_status);
    }
};

// The shim started ckpt-init; `pid` is its child (checked against /proc).
struct TreeStarted {
    static constexpr std::uint16_t k_type = 12;
    std::int32_t pid = 0;
    template <class V>
    void fields(V& v) {
        v(pid);
    }
};

// A SIGTERM arrived. The shim holds it back until a ShimOrder answers it, at most for k_term_patience_s.
struct ShimTerm {
    static constexpr std::uint16_t k_type = 13;
    template <class V>
    void fields(V& v) {
        v();
    }
};

enum class Order : std::uint8_t {
    line = 0,   // print `line` into the job's output
    wait = 1,   // keep the SIGTERM back: a dump is under way
    relay = 2,  // deliver the SIGTERM to the application
    leave = 3,  // the generation is safe and the tree is gone: die as Slurm's SIGTERM would have made us
    stand = 4,  // keep every SIGCONT back: the tree is about to stand still
    run_on = 5, // no longer
    known = 6,  // to a shim that came back: its tree is known; `line` says what is not as before
    go_on = 7,  // what Settle has stopped goes on
    // To the batch script's shim: a SIGTERM has come to a step, so the job may be about to end. What its
    // sruns say of that is not for the tree, until the job goes on.
    job_ends = 8,
    job_goes_on = 9,
    stop = 10 // the tree: its program has saved itself. Until run_on
};

struct ShimOrder {
    static constexpr std::uint16_t k_type = 14;
    Order order = Order::line;
    std::string line;
    template <class V>
    void fields(V& v) {
        v(order, line);
    }
};

// The application ended by itself; `wait_status` as waitpid reports it.
struct TreeExited {
    static constexpr std::uint16_t k_type = 15;
    std::int32_t wait_status = 0;
    template <class V>
    void fields(V& v) {
        v(wait_status);
    }
};

// The longest a shim waits for ckptd's answer to ShimHello before it runs natively (first launch), and to
// ShimTerm before it relays. Restores are announced by ShimOrder::wait, which lifts the limit.
constexpr int k_hello_patience_s = 5;
constexpr int k_term_patience_s = 3;

// ---- sckpt (any user) to ckptd ----

// Answered by Answer; the descriptor is a pipe with one JSON object per line, the last of them {"error": "…"}
// when the store could not be read.
struct ListRequest {
    static constexpr std::uint16_t k_type = 26;
    std::uint32_t job_id = 0; // 0 = all jobs of the caller
    bool details = false;     // `show`: everything the manifests say
    bool verify = false;      // and every byte of the images is read back
    std::uint32_t uid = 0;    // from root: whose; others see their own
    std::string user;         // stands for %u in storage.base; only where to look, never who may see it
    std::string dir;          // instead of storage.base, as --checkpoint-dir; "" = storage.base
    template <class V>
    void fields(V& v) {
        v(job_id, details, verify, uid, user, dir);
    }
};

// Removes what the policy does not keep; answered as ListRequest is (store_messages.hpp: PruneRequest).
struct PruneCommand {
    static constexpr std::uint16_t k_type = 27;
    bool dry_run = false;
    std::uint32_t uid = 0; // as in ListRequest
    std::string user;
    std::string dir;
    template <class V>
    void fields(V& v) {
        v(dry_run, uid, user, dir);
    }
};

// From a shim: --checkpoint-signal has arrived. Of earlier releases also from sckpt; as AskFor, Ask::create.
struct CreateRequest {
    static constexpr std::uint16_t k_type = 21;
    std::uint32_t job_id = 0;
    template <class V>
    void fields(V& v) {
        v(job_id);
    }
};

enum class Ask : std::uint8_t {
    create = 0,  // a generation; the job runs on
    requeue = 1, // a generation, and the job is requeued
    vacate = 2,  // a generation, and the job gives its nodes up: it is cancelled
    disable = 3, // no generations until `enable`
    enable = 4,
    look = 5 // whether `requeue` would be refused; nothing is done. Over a command's link only
};

// From sckpt. Answered by Answer: when what was asked for is done or has failed. A process of the job itself
// stands still while a generation is taken, and cannot be dumped with a connection: its answer comes at once,
// with generation 0 and the number of the job as text, which is not the one in the process's environment when
// the job goes on from another. What was asked for begins when it has closed the connection, and what has
// become of it is told as wire/asked.hpp says.
struct AskFor {
    static constexpr std::uint16_t k_type = 30;
    std::uint32_t job_id = 0;
    Ask ask = Ask::create;
    std::uint64_t token = 0; // the caller's own choice, for that; 0 = it does not want to know
    template <class V>
    void fields(V& v) {
        v(job_id, ask, token);
    }
};

struct Answer {
    static constexpr std::uint16_t k_type = 22;
    std::uint32_t code = 0;
    std::uint32_t generation = 0;
    std::string text;
    template <class V>
    void fields(V& v) {
        v(code, generation, text);
    }
};

// What applies to a job that runs on this node, and why. Answered by Explanation, or by Answer with an error.
struct ExplainRequest {
    static constexpr std::uint16_t k_type = 23;
    std::uint32_t job_id = 0;
    template <class V>
    void fields(V& v) {
        v(job_id);
    }
};

enum class Unit : std::uint8_t {
    text = 0,
    number = 1,
    seconds = 2,
    bytes = 3,
    bytes_per_s = 4,
    unix_time = 5
};

// One value of the plan or of the arithmetic behind it.
struct Explained {
    std::string section; // "plan", "interval" or "time_limit"
    std::string name;    // within its section, "keep"
    Unit unit = Unit::text;
    std::string value; // a decimal number unless `unit` is text
    std::string from;  // who decided it, or where it was measured; may be empty
    template <class V>
    void fields(V& v) {
        v(section, name, unit, value, from);
    }
};

struct Explanation {
    static constexpr std::uint16_t k_type = 24;
    std::uint32_t job_id = 0;
    std::uint32_t incarnation = 0;
    std::string node;
    std::string unmanaged;         // why the job runs without checkpoints; "" = it does not
    std::vector<Explained> values; // none for such a job
    template <class V>
    void fields(V& v) {
        v(job_id, incarnation, node, unmanaged, values);
    }
};

} // namespace ckpt::wire
