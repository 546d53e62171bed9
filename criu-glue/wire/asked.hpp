// SPDX-License-Identifier: GPL-2.0-or-later
// How a process of a job learns what has become of the generation that it has asked for (wire::AskFor). It is
// in that generation, so it must hold nothing open while it waits: each word is the target of a symbolic
// link, which readlink(2) reads without a descriptor.
#pragma once

#include <cstdint>
#include <string>

namespace ckpt::wire {

// Root's, readable by all; what is there says no more than numbers.
constexpr const char* k_asked_dir = "/run/ckptd/asked";

// "waits", then "GENERATION CODE": of the generation, or 0 and a Code. Gone after a restore, and when ckptd
// has been started anew.
inline std::string asked_name(std::uint32_t job_id, std::uint64_t token) {
    return std::to_string(job_id) + "-" + std::to_string(token);
}
constexpr const char* k_waits = "waits";

// "GENERATION TIME": what the job's present incarnation has come from, and when it began here; missing if
// from none. Also under the number of the job that this one goes on from. A process that finds another word
// than before it asked has been restored from what it has asked for.
inline std::string restored_name(std::uint32_t job_id) {
    return std::to_string(job_id) + "-restored";
}

} // namespace ckpt::wire
