// SPDX-License-Identifier: GPL-2.0-or-later
#include "settings.hpp"

#include <string_view>

namespace ckpt {

Settings settings_from(int argc, char** argv) {
    Settings settings;
    for (int i = 0; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("policy=/"))
            settings.policy = word.substr(word.find('/'));
        else if (word == "default=on")
            settings.default_on = true;
        else if (word == "default=off")
            settings.default_on = false;
        else if (settings.unknown.empty())
            settings.unknown = word;
    }
    return settings;
}

} // namespace ckpt
