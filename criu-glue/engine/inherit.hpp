// SPDX-License-Identifier: GPL-2.0-or-later
// Which descriptors of the new incarnation the restored tree gets in place of the old one's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/record.hpp"

namespace ckpt {

enum class NewFile : std::uint8_t { standard_input, standard_output, standard_error, status_pipe, script };

struct Inheritance {
    std::string key; // CRIU's name of the old file: "pipe:[INO]", or a path without its leading '/'
    NewFile from = NewFile::status_pipe;
    std::optional<std::string> replaced_path; // a regular file that the tree no longer has: no rollback of it
    bool operator==(const Inheritance&) const = default;
};

// `now` describes the new stdio; `script` is this incarnation's batch script, "" for a step.
std::vector<Inheritance> plan_inheritance(const DumpRecord& record, const std::array<StdioIdentity, 3>& now,
                                          const std::string& script);

} // namespace ckpt
