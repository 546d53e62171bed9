// SPDX-License-Identifier: GPL-2.0-or-later
// A part as a manifest says it (docs/format.md, "Manifest"). For the .cpp files of the store only.
#pragma once

#include "store/json_fields.hpp"
#include "store/manifest.hpp"

namespace ckpt::store {

Json part_to_json(const PartEntry& part);
// False when it is none.
bool part_from_json(const Json& object, PartEntry& part);

} // namespace ckpt::store
