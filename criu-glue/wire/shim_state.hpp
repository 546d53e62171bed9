// SPDX-License-Identifier: GPL-2.0-or-later
// What a shim keeps for its tree and a checkpoint has to have: the content of TaskHello::state. Saved with
// the images as it is, and given to the shim of the restored tree. The user's own: nobody else reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.hpp"

namespace ckpt::wire {

// In the environment of the real srun, and so of its tasks: the stand-in that has asked for it, 16
// hexadecimal digits. The plugin takes it out of the tasks' environment.
constexpr const char* k_stand_in_variable = "SLURM_CHECKPOINT_STAND_IN";
// Likewise: srun was told not to wait for whole lines.
constexpr const char* k_unbuffered_variable = "SLURM_CHECKPOINT_UNBUFFERED";
// Set by the plugin where slurmstepd writes the time before its messages, not its name; the shim takes it
// away.
constexpr const char* k_dated_messages_variable = "SLURM_CHECKPOINT_DATED_MESSAGES";

// A file that the real srun itself writes (`-o FILE`), and how long it was at the cut.
struct StepOutput {
    std::string path;
    std::int64_t born_ns = 0; // when its inode was made, Unix time; 0 = the file system does not tell
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    template <class V>
    void fields(V& v) {
        v(path, born_ns, inode, size);
    }
};

// The batch script's shim: one srun whose stand-in does not know yet how it ended. Its streams pass through
// the shim, so that a consumer that does not read holds up no checkpoint.
struct StepRecord {
    std::uint64_t stand_in = 0;
    bool ended = false;           // the stand-in is answered with what follows; else srun is started again
    std::int32_t wait_status = 0; // of StepEnded
    std::int32_t errnum = 0;      // likewise
    std::string out;              // came from srun, not yet with the stand-in's standard output
    std::string err;
    std::string in; // read from the stand-in's standard input, not yet taken by srun
    bool in_ended = false;
    std::vector<StepOutput> outputs;
    template <class V>
    void fields(V& v) {
        v(stand_in, ended, wait_status, errnum, out, err, in, in_ended, outputs);
    }
};

// A step's shim: bytes that are neither with the tree nor with slurmstepd.
struct StreamsRecord {
    std::string out; // the beginning of a line that is not complete, held back as slurmstepd would do
    std::string err;
    std::string in;        // what slurmstepd has delivered and the tree has not read
    bool in_ended = false; // and there is nothing behind it
    template <class V>
    void fields(V& v) {
        v(out, err, in, in_ended);
    }
};

struct ShimState {
    static constexpr std::uint16_t k_type = 75;
    std::vector<StepRecord> steps;
    StreamsRecord streams;
    // What Slurm had set for the tree in the job's first incarnation, which is what the tree still has: a
    // step gets this incarnation's values, but for what the script has changed.
    std::vector<std::string> environment;
    std::string dir; // where stand-ins are bound; "" = there are none
    template <class V>
    void fields(V& v) {
        v(steps, streams, environment, dir);
    }
};

} // namespace ckpt::wire
