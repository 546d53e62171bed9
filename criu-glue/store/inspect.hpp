// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "result/result.hpp"
#include "store/job_at.hpp"

namespace ckpt::store {

// Whoever asks for a listing and takes nothing of it for so long does not get the rest: each is a process of
// the node's, and a user may have few at a time (daemon/listings.hpp).
constexpr std::chrono::milliseconds k_reader_patience{60'000};

struct InspectSpec {
    std::uint32_t job_id = 0; // 0 = every job
    bool details = false;     // with the parts
    bool verify = false;      // every byte of the images is read back
    // Whose: a manifest of somebody else's that lies there is not verified. Nothing: anybody's.
    std::optional<std::uint32_t> uid{};
    // Whose history of a single job comes with the details. Nothing: none.
    std::optional<std::uint32_t> history_uid{};
    std::chrono::milliseconds patience = k_reader_patience;
};

// Writes one line of JSON per generation to `out` (docs/format.md, "Inspection"), oldest first within a job.
// A history is a line with "history" and without "generation". What does not verify appears with "verified":
// false, and so does what stands in the place of a job's or an incarnation's directory, without "generation".
// Code::deadline: see k_reader_patience.
Status inspect(const Store& store, const InspectSpec& spec, int out);

} // namespace ckpt::store
