// SPDX-License-Identifier: GPL-2.0-or-later
// Which generations an incarnation may start from. Pure: decided from the state that scan() read.
//
// An incarnation that recorded what it adopted fences the incarnations before it: whatever they commit later
// comes from a node that was declared dead and lives on, and the job has gone another way since.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/scan.hpp"

namespace ckpt::store {

struct Choice {
    std::vector<GenerationId> candidates; // newest first
    // Behind a record that does not verify: nobody can say whether they are fenced. Newest first, all of them
    // older than the candidates; never restored, but not thrown away either while they may be all there is.
    std::vector<GenerationId> doubtful;
    std::string doubt;   // that record and what is wrong with it; "" = none
    bool hidden = false; // an incarnation's directory cannot be read: who knows what lies in it
    // Nothing is left although this one had been adopted before: it was lost, which is not "never was".
    std::optional<GenerationId> lost;
    // What an incarnation has adopted from another job, and nothing newer is left: that job's generations up
    // to `from` come next.
    std::optional<Adopted> elsewhere;
    bool completed = false; // an earlier incarnation (or this one) ran to its end, and nothing came after it
};

Choice choose(const JobState& state, std::uint32_t incarnation);

// How many incarnations before `incarnation`, the newest first and in a row, started from `id`: none of them
// has saved anything.
std::uint32_t adoptions_in_a_row(const JobState& state, GenerationId id, std::uint32_t incarnation);

// How the newest incarnation before `incarnation` failed, if that is on record. One that was held, or ended
// in another way, has no such record.
struct LastFailure {
    std::optional<Failed> failed;
    // By a fault, and it had saved nothing new since an earlier one ended by the same: it comes to it from
    // the same generation each time.
    bool fault_again = false;
};
LastFailure last_failure(const JobState& state, std::uint32_t incarnation);

// The later incarnation that has taken the job over from `incarnation`, if there is one. A record that does
// not verify counts: better to lose one commit than to write over a successor.
std::optional<std::uint32_t> successor_of(const JobState& state, std::uint32_t incarnation);

} // namespace ckpt::store
