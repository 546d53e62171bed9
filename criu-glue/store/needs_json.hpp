// SPDX-License-Identifier: GPL-2.0-or-later
// What a part needs of a node, as a manifest says it (docs/format.md, "Needs"). For the .cpp files of the
// store only.
#pragma once

#include <vector>

#include "compat/needs.hpp"
#include "store/json_fields.hpp"
#include "store/manifest.hpp"

namespace ckpt::store {

Json needs_to_json(const compat::Needs& needs);
// False when it is none.
bool needs_from_json(const Json& object, compat::Needs& needs);

// Of all parts in one list, since most are alike; each part, in the same order as in `parts`, says which is
// its own. Nothing where nothing is known.
void put_needs(const std::vector<PartEntry>& entries, Json& manifest);
bool take_needs(const Json& manifest, std::vector<PartEntry>& entries);

} // namespace ckpt::store
