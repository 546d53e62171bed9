// SPDX-License-Identifier: GPL-2.0-or-later
#include "step.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

#include "wire/allocation.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

namespace {
bool g_managed = false; // written before slurmstepd forks or clones anything for the job
} // namespace

StepKind kind_of(spank_t spank) {
    std::uint32_t step = 0;
    if (spank_get_item(spank, S_JOB_STEPID, &step) != ESPANK_SUCCESS) return StepKind::external;
    switch (step) {
    case SLURM_BATCH_SCRIPT:
        return StepKind::batch;
    case SLURM_INTERACTIVE_STEP:
        return StepKind::interactive;
    case SLURM_EXTERN_CONT:
        return StepKind::external;
    default:
        return StepKind::normal;
    }
}

bool is_managed() {
    return g_managed;
}

void set_managed(bool managed) {
    g_managed = managed;
}

// Not spank_getenv, which cuts values at the size of the caller's buffer.
const char* job_variable(spank_t spank, const char* name) {
    char** environment = nullptr;
    if (spank_get_item(spank, S_JOB_ENV, &environment) != ESPANK_SUCCESS || environment == nullptr)
        return nullptr;
    const std::size_t length = std::strlen(name);
    for (; *environment != nullptr; ++environment)
        if (std::strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return nullptr;
}

std::optional<std::uint64_t> stand_in_of(spank_t spank) {
    const char* text = job_variable(spank, wire::k_stand_in_variable);
    if (text == nullptr) return std::nullopt;
    const std::string_view digits = text;
    constexpr std::size_t k_digits = 16;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != k_digits || error != std::errc() || end != digits.data() + digits.size())
        return std::nullopt;
    return value;
}

bool is_in_allocation(spank_t spank) {
    const char* made = job_variable(spank, wire::k_allocation_variable);
    return made != nullptr && std::strcmp(made, "1") == 0;
}

bool stands_for_script(spank_t spank) {
    return kind_of(spank) == StepKind::normal && is_in_allocation(spank) &&
           job_variable(spank, wire::k_script_variable) != nullptr;
}

} // namespace ckpt
