// SPDX-License-Identifier: GPL-2.0-or-later
// A job's plan as it is kept on file: it stays what it was when the job started, whatever policy says later.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/resolve.hpp"

namespace ckpt {

struct PlanOnFile {
    bool enabled = false;
    std::int64_t interval = 0; // seconds; 0 = none, -1 = auto
    std::string base;
    std::uint8_t on = 0;
    std::uint8_t method = 0;
    std::int32_t method_signal = 0;
    std::uint32_t keep = 0;
    std::uint32_t max_restarts = 0;
    std::uint8_t restore = 0;
    std::uint32_t restore_job = 0;
    std::uint32_t restore_generation = 0;
    std::uint8_t files = 0;
    std::int32_t signal = 0;
    std::vector<std::uint8_t> origins; // in the order of Plan
    template <class V>
    void fields(V& v) {
        v(enabled, interval, base, on, method, method_signal, keep, max_restarts, restore, restore_job,
          restore_generation, files, signal, origins);
    }
};

PlanOnFile to_file(const Plan& plan);
// Its notes were said when the job started.
Plan plan_from(const PlanOnFile& file);

} // namespace ckpt
