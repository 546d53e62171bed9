// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

Status commit_images(const wire::CommitRequest& request, std::vector<Fd>& fds, wire::CommitResult& result);

} // namespace ckpt
