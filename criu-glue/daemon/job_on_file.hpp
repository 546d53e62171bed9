// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "job.hpp"
#include "job_files.hpp"

namespace ckpt {

// What the next ckptd has to know of a job.
JobFile on_file(const Job& job);

} // namespace ckpt
