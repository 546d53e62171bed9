// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ckpt {

// The plugin's arguments in plugstack.conf.
struct Settings {
    std::string policy = "/etc/slurm/checkpoint.yaml"; // policy=FILE
    bool default_on = false; // default=on|off: where the policy does not state defaults.enabled
    std::string unknown;     // the first argument that is neither
};

Settings settings_from(int argc, char** argv);

} // namespace ckpt
