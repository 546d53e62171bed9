// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "result/result.hpp"

namespace ckpt::cli {

// What ckptd of this node has done, to standard output (docs/metrics.md). Code::daemon_unreachable.
Status print_metrics();

} // namespace ckpt::cli
