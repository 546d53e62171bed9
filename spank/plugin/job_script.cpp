// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_script.hpp"

namespace ckpt {

GivenOptions options_in_job_script(spank_t spank) {
    GivenOptions options;
    for (const OptionRow& row : option_table()) {
        spank_option option{};
        option.name = const_cast<char*>(row.name); // copied (spank.c:_spank_option_copy)
        option.has_arg = row.argument_optional ? 2 : 1;
        char* value = nullptr;
        if (spank_option_getopt(spank, &option, &value) == ESPANK_SUCCESS)
            options.set(row, value != nullptr ? value : "");
    }
    return options;
}

} // namespace ckpt
