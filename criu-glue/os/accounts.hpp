// SPDX-License-Identifier: GPL-2.0-or-later
// What the name service says. Apart from creds.hpp, so that programs that are linked statically need none.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// The user's groups from the name service (getgrouplist). Blocking: never in the daemon's loop.
Result<Identity> identity_of(uid_t uid, gid_t gid);

// A system account by its name; Code::not_found without it, Code::not_permitted when it is root. Blocking as
// above.
Result<Identity> account(const std::string& name);

} // namespace ckpt
