// SPDX-License-Identifier: GPL-2.0-or-later
// The identities in an image's tasks. CRIU gives a task whatever ids and capabilities its image says.
#pragma once

#include <string_view>

#include "result/result.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// Every core-*.img holds this user's ids and no capability, else Code::restore_refused. True when one has
// another of the user's groups as its gid.
Result<bool> check_image_creds(int images, const wire::UserIds& user);

// One such file; zombies have no credentials.
Result<bool> check_core_image(std::string_view image, const wire::UserIds& user);

} // namespace ckpt
