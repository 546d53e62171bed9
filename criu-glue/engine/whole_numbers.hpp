// SPDX-License-Identifier: GPL-2.0-or-later
// Reading records. For .cpp files only, as all of JSON.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace ckpt {

// Throws a Json::exception, also for numbers that are not whole: as integers they are whatever the compiler
// makes of them, when they are too large for one. No record has any.
inline nlohmann::json parse_whole_numbers(std::string_view text) {
    using Json = nlohmann::json;
    return Json::parse(text, [](int /*depth*/, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::value && parsed.is_number_float())
            throw Json::other_error::create(501, "a number that is not whole", &parsed);
        return true;
    });
}

} // namespace ckpt
