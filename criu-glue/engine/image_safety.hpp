// SPDX-License-Identifier: GPL-2.0-or-later
// What honest images cannot hold and a restore would turn against others.
#pragma once

#include <string_view>

#include "result/result.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// Deleted files that are not the user's: criu may read any file that the job has open, even by O_PATH, and a
// restore would write its content into a new file of the user's (files-reg.c:ghost_apply_metadata comes too
// late). Code::restore_refused.
Status check_ghosts(int images, const wire::UserIds& user);

// A restartable-sequence area in shared memory: somebody outside could write into it and choose where the
// restored task runs on while it still has criu's capabilities (restorer.c:restore_thread_common registers it
// before restore_creds). Code::restore_refused.
Status check_rseq(int images);

// The owner in a ghost-file image, of which `head` is the beginning; Code::store_corrupt.
Result<std::uint32_t> ghost_owner(std::string_view head);

} // namespace ckpt
