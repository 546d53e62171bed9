// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt probe -- CMD: whether a program can be checkpointed, tried out: it is started in an allocation of its
// own, saved, ended, and gone on with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

struct ProbeOptions {
    std::uint32_t seconds = 5;      // that it runs before it is saved, and that it has to run on afterwards
    std::vector<std::string> slurm; // options for salloc
    std::vector<std::string> command;
    bool inside = false; // in the allocation
};

enum class Verdict : std::uint8_t { can = 0, cannot = 1, not_known = 2 };

// What has come of a probe, from what was seen.
struct ProbeFacts {
    bool ended_early = false; // before it was saved
    int early_status = 0;     // wait status then
    bool saved = false;
    std::string refusal; // why not, as the program's messages say
    bool restored = false;
    std::string trouble;      // why not
    bool ended_after = false; // by itself, after it was restored
    int after_status = 0;
};
Verdict verdict_on(const ProbeFacts& facts);
std::string verdict_text(const ProbeFacts& facts);

// The last of our lines in what an srun has said on standard error that begins with one of `words`; "" =
// none.
std::string line_with(const std::string& messages, const std::vector<std::string>& words);

// The exit status: that of the verdict.
Result<int> probe(const ProbeOptions& options);

} // namespace ckpt::cli
