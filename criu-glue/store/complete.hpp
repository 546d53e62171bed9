// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "result/result.hpp"
#include "store/job_at.hpp"
#include "store/records.hpp"

namespace ckpt::store {

struct CompleteSpec {
    Owner owner;
    std::uint32_t incarnation = 0;
    std::int32_t wait_status = 0;
    bool drop_generations = false;
    bool will_be_requeued = false;
    std::optional<Failed> failed{};   // no completion: only this is recorded (`at` is set here)
    std::optional<Stopped> stopped{}; // likewise
    bool has_generations = false;     // then the job's directory has to be there
};

// Records durably that the job ran to its end in this incarnation, failed or was stopped, then drops the
// generations if asked to, and whatever failed commits and removals have left: nobody may commit to the
// incarnation any more. A job that left nothing in the store needs no record. Code::store_unwritable
// (ENOENT): it has, and its directory is gone. Code::not_permitted when a
// later incarnation has taken over.
Status complete(const Store& store, const CompleteSpec& spec);

} // namespace ckpt::store
