// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher_daemon.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace ckpt {

namespace {

struct Known {
    std::string_view name; // with its dashes
    std::string_view only; // the one value for which it changes nothing here; "" = any
    bool has_value = true;
};

// What hydra (hydra/tools/bootstrap/external/slurm_launch.c), Intel's hydra and PRRTE (plm_slurm_module.c)
// give it. With anything else the user wants something of srun.
constexpr std::array k_known = {
    Known{"--external-launcher", "", false},
    Known{"--kill-on-bad-exit", "", false},
    Known{"-K", "", false},
    Known{"--no-kill", "", false}, // of an allocation with another node
    Known{"-k", "", false},
    Known{"--overlap", "", false},
    Known{"--oversubscribe", "", false},
    Known{"--quiet", "", false},
    Known{"-Q", "", false},
    Known{"-N", "1"},
    Known{"-n", "1"},
    Known{"--nodes", "1"},
    Known{"--ntasks", "1"},
    Known{"--ntasks-per-node", "1"},
    Known{"--nodelist", ""},
    Known{"-w", ""},
    Known{"--input", "none"},
    Known{"-i", "none"},
    Known{"--mpi", "none"},
    Known{"--cpu-bind", "none"},
    Known{"--jobid", ""},
};

constexpr std::array<std::string_view, 4> k_daemons = {"hydra_pmi_proxy", "hydra_bstrap_proxy", "prted",
                                                       "orted"};

const Known* known(std::string_view name) {
    const auto* const found = std::ranges::find(k_known, name, &Known::name);
    return found != k_known.end() ? found : nullptr;
}

bool is_daemon(std::string_view program) {
    program.remove_prefix(program.rfind('/') + 1);
    return std::ranges::find(k_daemons, program) != k_daemons.end();
}

} // namespace

std::size_t launcher_daemon_at(std::span<const std::string> argv) {
    bool told = false;
    bool once = false;
    std::size_t at = 1;
    for (; at < argv.size() && argv[at].starts_with('-') && argv[at] != "--"; ++at) {
        const std::string_view word = argv[at];
        const std::size_t equals = word.find('=');
        const Known* option = known(word.substr(0, equals));
        if (option == nullptr) return 0;
        told |= option->name == "--external-launcher";
        if (!option->has_value) continue;
        if (equals == std::string_view::npos && ++at == argv.size()) return 0;
        const std::string_view value = equals == std::string_view::npos ? argv[at] : word.substr(equals + 1);
        if (!option->only.empty() && value != option->only) return 0;
        once |= option->name == "-n" || option->name.starts_with("--ntasks");
    }
    if (at < argv.size() && argv[at] == "--") ++at;
    return at < argv.size() && once && (told || is_daemon(argv[at])) ? at : 0;
}

} // namespace ckpt
