// SPDX-License-Identifier: GPL-2.0-or-later
// resolve(): request + facts + policy -> plan. Pure: no files, no clock, no environment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"
#include "policy/request.hpp"

namespace ckpt {

// Facts about a job that Slurm vouches for (job_prolog, slurmstepd), or that sbatch believes at submit.
struct JobFacts {
    std::uint32_t job_id = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string user;
    std::uint32_t nodes = 1;
    bool batch = true;
};

// Who decided a value.
enum class Origin : std::uint8_t { built_in, policy, user, limit };

template <typename T>
struct Planned {
    T value{};
    Origin origin = Origin::built_in;
};

struct Plan {
    Planned<bool> enabled;
    Planned<Interval> interval;
    Planned<std::string> base; // directory above <cluster>/<jobid>-<uuid8>
    Planned<Triggers> on;
    Planned<Method> method;
    Planned<std::uint32_t> keep;
    Planned<std::uint32_t> max_restarts;
    Planned<Restore> restore;
    Planned<FilesMode> files;
    Planned<int> signal; // 0 = none
    // One line per value that policy reduced (Code::option_capped); shown to the user once.
    std::vector<Error> notes;
};

// Values beyond a limit are reduced to it and noted; a --checkpoint-dir outside the allowed bases is refused
// (option_value). %u in a base becomes the user's name, "%%" a percent sign.
// Any option beyond --checkpoint itself switches checkpointing on unless --checkpoint=off was said.
Result<Plan> resolve(const Request& request, const JobFacts& facts, const Policy& policy);

// `pattern` with %u and %% replaced. Refuses other percent sequences and a user name that is no path
// component.
Result<std::string> expand_base(std::string_view pattern, std::string_view user);

// A user's own directory below storage.base: without %u in it the name is appended.
Result<std::string> user_base(std::string_view base, std::string_view user);

// The directory that a --checkpoint-dir `dir` stands for: the user's own one where it names that or all of
// storage.base, else one within limits.directories (else option_value, which says what is allowed).
Result<std::string> allowed_dir(const Policy& policy, const std::string& dir, std::string_view user);

// The part of a user's directory `dir` that an admin has named: the directories of storage.base before the
// first %u, or, for a --checkpoint-dir, those of the limits.directories that allows it. Always a directory
// above `dir`; "/" when policy does not name it (any more).
std::string admins_part(const Policy& policy, const std::string& dir, std::string_view user);

} // namespace ckpt
