// SPDX-License-Identifier: GPL-2.0-or-later
// One committed generation: its directory and its verified manifest.
#pragma once

#include "os/fd.hpp"
#include "store/manifest.hpp"
#include "store/seal.hpp"

namespace ckpt::store {

// `inc-N/gen-NNNNNN` below the job's directory; Code::not_found when it is not there (any more).
Result<Fd> open_generation(int job, GenerationId id);

// The manifest, sealed with `key` and about exactly this generation of exactly this job; else
// Code::store_corrupt, or Code::os when it cannot be read.
Result<Manifest> verified_manifest(int generation, const Owner& owner, GenerationId id, const SealKey& key);

} // namespace ckpt::store
