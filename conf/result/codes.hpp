// SPDX-License-Identifier: GPL-2.0-or-later
// Stable message codes. A code never changes its meaning; docs/errors.md explains each one.
#pragma once

#include <string>

namespace ckpt {

enum class Code : int {
    // 1xx: options and requests
    option_value = 101,    // an option's value is malformed or out of range
    option_conflict = 102, // options that exclude each other
    option_capped = 103,   // a value was reduced to what policy allows
    job_not_requeueable = 104,
    unsupported_setting = 105, // a setting of Slurm under which jobs cannot be checkpointed
    limit_short = 106,         // the time limit leaves little time for a last checkpoint
    store_short = 107,         // the store has less room than the job's checkpoints may need
    // 2xx: policy
    policy_syntax = 201,     // not YAML, or not the documented structure
    policy_value = 202,      // a value of the wrong type or outside its range
    policy_unreadable = 203, // missing, not root-owned, or writable by others
    // 3xx: daemon, wire, processes
    daemon_unreachable = 301,
    wire_malformed = 302, // a message that is not of the protocol
    not_permitted = 303,  // the caller is not who it would have to be
    not_found = 304,      // no such job, generation or task
    os = 305,             // a system call failed
    deadline = 306,       // something took longer than it was given
    slurm_rpc = 307,      // slurmctld refused or did not answer
    busy = 308,           // a checkpoint of this job is under way, or enough else of this user's
    munge = 309,          // munged does not answer, or knows nothing of the other side's credential
    // 4xx: dump
    dump_failed = 401,    // CRIU refused or failed; the job runs on
    dump_timeout = 402,   // CRIU did not finish in time and was stopped; the job runs on
    dump_refused = 403,   // the tree holds something that could never be restored
    dump_live_srun = 404, // a live srun in the tree
    dump_unfit = 405,     // no time or space left for it
    program_silent = 406, // asked to save itself, the program neither ended nor made its marker in time
    program_deaf = 407,   // no process of the job handles the signal by which it is to save itself
    // 5xx: restore
    restore_failed = 501,     // CRIU refused or failed
    restore_impossible = 502, // what the job would go on from cannot be had on this node
    restore_refused = 503,    // the image does not belong to this job
    rollback_refused = 504,   // an output file is not as the generation left it
    restore_source = 505,     // the job to go on from has no such generation, or may not be gone on from now
    node_unfit = 506,         // this node lacks what the images need: processor, kernel, file systems
    // 6xx: store
    store_unwritable = 601,
    store_full = 602,    // ENOSPC or EDQUOT
    store_corrupt = 603, // a generation that does not verify
    store_key = 604,     // no key, or not one that only root reads
    // 7xx: the job's own end
    out_of_memory = 701,
    program_fault = 702, // it died of SIGSEGV or the like
    // 9xx
    internal = 901,
};

// "CKPT-401"
inline std::string to_string(Code code) {
    return "CKPT-" + std::to_string(static_cast<int>(code));
}

} // namespace ckpt
