// SPDX-License-Identifier: GPL-2.0-or-later
// What lies in a job's directory: incarnations, their records, and the generations that were renamed into
// place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/names.hpp"
#include "store/records.hpp"

namespace ckpt::store {

struct IncarnationState {
    std::uint32_t number = 0;
    std::string unreadable; // why its directory could not be read; "" = it could
    Record<Adopted> adopted;
    Record<Completed> completed;
    Record<Failed> failed;
    Record<Stopped> stopped;
    std::vector<Claimed> claims; // by other jobs; one that does not verify is of the beginning of time
    std::vector<std::uint32_t> generations; // newest first
    bool commits = false;                   // a commit is under way, or was killed
};

struct JobState {
    std::vector<IncarnationState> incarnations; // newest first
    std::uint32_t newest_generation = 0;        // highest number ever used, by whatever incarnation

    [[nodiscard]] const IncarnationState* incarnation(std::uint32_t number) const;
};

// Fails when the job's directory cannot be read, or something in it for a reason that says nothing about what
// is there (damage.hpp): then nobody knows who is fenced and whether the job has ended.
Result<JobState> scan(const JobAt& job);

} // namespace ckpt::store
