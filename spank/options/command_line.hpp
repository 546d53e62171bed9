// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>

namespace ckpt {

// Does sbatch's own command line (argv[0] is sbatch) switch checkpointing on? Asked in the plugin's init,
// which runs before sbatch parses its options: SBATCH_OPEN_MODE=append only has an effect when it is set that
// early (slurm src/sbatch/opt.c:process_options_second_pass), and without it a requeued job truncates its
// output. Arguments of the script are not looked at, nor what "#SBATCH" lines say.
bool looks_like_checkpoint_cli(std::span<const std::string> argv);

} // namespace ckpt
