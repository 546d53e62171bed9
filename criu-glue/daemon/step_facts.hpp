// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace ckpt {

// What is known of a task's step, as wire::StepTaskRegister says it.
struct StepFacts {
    std::uint32_t tasks = 1;    // on all its nodes
    std::uint32_t nodes = 1;    // that it runs on
    std::uint32_t interval = 0; // seconds between checkpoints, as its srun was told; 0 = no fixed time
    template <class V>
    void fields(V& v) {
        v(tasks, nodes, interval);
    }
};

} // namespace ckpt
