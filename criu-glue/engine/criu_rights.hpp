// SPDX-License-Identifier: GPL-2.0-or-later
// criu runs with the user's ids and a few capabilities, never as root, for two reasons. It can open what only
// the user may open, as in home directories with root_squash. And it opens by path what the job had open:
// root would follow a path that the user has meanwhile turned into a link to /etc/passwd, and hand the job
// the descriptor. So no capability that overrides file permissions at restore, and no other either unless the
// images need it.
#pragma once

#include <string>
#include <vector>

#include "engine/survey.hpp"
#include "os/creds.hpp"
#include "result/result.hpp"
#include "wire/worker.hpp"

namespace ckpt {

CapabilitySet rights_for_dump(const std::vector<Member>& members, bool ipc_dumped);

// `other_gids`: a task runs under another of the user's groups (image_creds.hpp).
Result<CapabilitySet> rights_for_restore(int images, bool other_gids);

// With the user's ids CRIU writes and reads images as the user, so the directory is the user's meanwhile. Its
// parent stays closed to the user, and so do criu's descriptors (ptrace(2): criu has capabilities the user
// lacks).
Status give_images_to(Root root, int images, uid_t uid, gid_t gid);

// CRIU opens an inherited pipe anew (pipes.c:reopen_pipe); one that slurmstepd made is root's. A pipe of
// pipe(2) only: a FIFO in a file system stays whose it is.
Status give_pipe_to(Root root, int fd, uid_t uid, gid_t gid);

} // namespace ckpt
