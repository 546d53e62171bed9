// SPDX-License-Identifier: GPL-2.0-or-later
// What ckptd answers with one JSON object per line.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "result/result.hpp"

namespace ckpt::cli {

using Json = nlohmann::json;

// What to do when a job has no checkpoint to be found.
inline constexpr const char* k_where_there_are =
    "see `sckpt list` for what there is; --dir=DIR if the job had --checkpoint-dir=DIR; a program that saves "
    "itself (--checkpoint-method=app:SIG) keeps its own: submit its script again";

// Sends an encoded request; the objects of the answer, to the end of the work. The last of them may say what
// went wrong: that is the error.
Result<std::vector<Json>> fetch(const std::string& request);

// One line.
std::string line_of(const Json& object);

// Reading a field that is missing or of another type yields the default: a listing is for people.
std::uint64_t number(const Json& object, const char* key);
std::string string(const Json& object, const char* key);
bool flag(const Json& object, const char* key);

} // namespace ckpt::cli
