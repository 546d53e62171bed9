// SPDX-License-Identifier: GPL-2.0-or-later
// What ckptd answers with one JSON object per line.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "result/result.hpp"

namespace ckpt::cli {

using Json = nlohmann::json;

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
