// SPDX-License-Identifier: GPL-2.0-or-later
// sbatch's own options, which SPANK has no interface for: open mode and requeue.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ckpt {

// Slurm's slurm_option_isset and slurm_option_set (src/common/slurm_opt.c), applied to sbatch's `opt`. Not a
// public interface, but the same from 22.05 to 26.05. The public way, SBATCH_OPEN_MODE in the environment,
// would override what the user's script says with "#SBATCH --open-mode", and leak into jobs that this one
// submits.
class SbatchOptions {
public:
    // Nothing unless this process is sbatch and has the symbols.
    static std::optional<SbatchOptions> find();
    [[nodiscard]] bool is_set(const char* name) const;
    // As Slurm writes it; empty when it cannot say.
    [[nodiscard]] std::string value(const char* name) const;
    // False when Slurm refused.
    [[nodiscard]] bool set(const char* name, const char* value) const;
    // What counts of --requeue and --no-requeue: the later one.
    enum class Requeue : std::uint8_t { unset, yes, no };
    [[nodiscard]] Requeue requeue() const;
    // JobFileAppend=1 of slurm.conf: an open mode that nobody set means append.
    [[nodiscard]] static bool appends_by_default();

private:
    using IsSet = bool (*)(void* opt, const char* name);
    using Set = int (*)(void* opt, const char* name, const char* value, bool early);
    using Get = char* (*)(void* opt, const char* name);
    SbatchOptions(void* options, IsSet asker, Set setter, Get getter)
        : m_opt(options), m_is_set(asker), m_set(setter), m_get(getter) {}

    void* m_opt;
    IsSet m_is_set;
    Set m_set;
    Get m_get; // may be null
};

} // namespace ckpt
