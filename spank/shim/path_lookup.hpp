// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ckpt {

// The file that slurmstepd would execute for `name`, and pass as argv[0] (slurm src/slurmd/slurmstepd/task.c:
// _build_path): absolute names as they are; names that begin with '.' below the working directory; others in
// `path` (nullptr = unset), where the first entry that exists and is no directory counts, executable or not;
// otherwise the name itself, which execve then looks for in the working directory. slurmstepd did this for
// us, its argv[0], only.
std::string build_path(const std::string& name, const char* path);

} // namespace ckpt
