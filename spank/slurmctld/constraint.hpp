// SPDX-License-Identifier: GPL-2.0-or-later
// A job with a checkpoint is to start only on nodes with the kind of processor that the checkpoint was taken
// on: what that makes of its --constraint.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct Constraint {
    enum class Kind : std::uint8_t {
        as_it_is,
        changed,
        too_complicated // alternatives, counts, groups: whoever wrote it knows what will do
    } kind = Kind::as_it_is;
    std::string expression; // of `changed`; may be empty
    bool operator==(const Constraint&) const = default;
};

// `expression` is the job's, `of_node` what the node has, `listed` tells kinds of processors apart (policy:
// compat.features). Of these, those that the node has are demanded besides, and those that it does not have
// are demanded no more: the job ran there, so that is from an earlier checkpoint of another kind.
Constraint constrained(std::string_view expression, const std::set<std::string>& of_node,
                       const std::vector<std::string>& listed);

// "a,b" as a list.
std::vector<std::string> split_at_commas(std::string_view text);

} // namespace ckpt
