// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/store_messages.hpp"

namespace ckpt {

Status adopt_images(const wire::AdoptRequest& request, std::vector<Fd>& fds, wire::AdoptResult& result);
Status unpack_part(const wire::PartRequest& request, std::vector<Fd>& fds);

} // namespace ckpt
