// SPDX-License-Identifier: GPL-2.0-or-later
// Removes generations nobody can want any more (docs/format.md, "Removal").
#pragma once

#include <cstdint>

#include "result/result.hpp"
#include "store/names.hpp"
#include "store/seal.hpp"

namespace ckpt::store {

// Keeps the newest `keep` generations whose manifests verify, counted over every incarnation up to
// `incarnation`, which must have one of its own. What is newer than the last of those stays as well, what is
// fenced goes. Does nothing when a later incarnation has taken the job over; a generation it adopts meanwhile
// is put back.
Status prune(int job, const Owner& owner, const SealKey& key, std::uint32_t incarnation, std::uint32_t keep);

// Removes every generation up to `incarnation`.
Status drop_all(int job, const Owner& owner, const SealKey& key, std::uint32_t incarnation);

} // namespace ckpt::store
