// SPDX-License-Identifier: GPL-2.0-or-later
// Words to whoever runs sckpt.
#pragma once

#include <cstdint>
#include <string>

#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt {

inline wire::Answer answer_of(const Error& error) {
    return {static_cast<std::uint32_t>(error.code), 0, one_line(error)};
}

inline Error out_of_reach(std::uint32_t job_id) {
    return {Code::not_found,
            "ckptd was started anew and cannot reach job " + std::to_string(job_id) + " any more",
            "it is checkpointed again from its next start on", 0};
}

} // namespace ckpt
