// SPDX-License-Identifier: GPL-2.0-or-later
// A job's directory in a user's volume, and the keys that open what is in it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/key.hpp"
#include "store/names.hpp"
#include "store/seal.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

// Where generations are, and every key of the cluster's; the first one seals.
struct Store {
    Volume& volume;
    std::span<const ClusterKey> keys;
};

// Refers to the volume.
struct JobAt {
    Volume& volume;
    Owner owner;
    JobKeys keys;
    std::string dir; // "alpha/4711-0a1b2c3d"

    [[nodiscard]] std::string incarnation(std::uint32_t number) const;
    [[nodiscard]] std::string generation(GenerationId id) const;
    [[nodiscard]] std::string packs() const;
};
Result<JobAt> job_at(const Store& store, const Owner& owner);

// Code::not_found only when it does not exist: a store that cannot be read is not an empty one.
Status require_job_dir(const JobAt& job);
Status make_job_dir(const JobAt& job);
// Of a directory that has to be there: the store is not where it was. `what` says why it has to.
Error no_job_dir(const JobAt& job, std::string what);

// `error` as an error of the store: "ACTION: what", store_full for ENOSPC and EDQUOT, store_unwritable for
// other failed system calls.
Error store_error(Error error, const std::string& action);
// "NAME/alpha/4711-0a1b2c3d", for messages
std::string describe(const JobAt& job);

} // namespace ckpt::store
