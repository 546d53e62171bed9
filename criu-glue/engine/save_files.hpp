// SPDX-License-Identifier: GPL-2.0-or-later
// Everything about the tree's files that CRIU does not save, while the tree stands still and CRIU's images
// are complete.
#pragma once

#include <chrono>

#include "engine/dump.hpp"
#include "engine/record.hpp"
#include "result/result.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

// The record, with contents beside the images. `patience`: how long the user's files may take to answer.
// Code::dump_refused when they are more than allowed, Code::dump_unfit when the image directory is full.
Result<DumpRecord> save_files(const wire::DumpRequest& request, const DumpFds& fds,
                              std::chrono::milliseconds patience);

} // namespace ckpt
