// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt create, requeue, vacate, disable, enable, explain, restart and probe: what is done with jobs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <CLI/CLI.hpp>

#include "probe.hpp"
#include "restart.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

class JobCommands {
public:
    explicit JobCommands(CLI::App& app); // registers them
    [[nodiscard]] bool parsed() const;
    Result<int> run(); // the exit status

private:
    [[nodiscard]] Result<int> ask(std::size_t index) const;
    [[nodiscard]] Result<int> ask_one(std::size_t index) const;
    std::array<CLI::App*, 5> m_verbs{};
    CLI::App* m_explain;
    CLI::App* m_restart;
    CLI::App* m_probe;
    std::uint32_t m_job_id = 0;           // explain's
    std::vector<std::uint32_t> m_job_ids; // of the others; empty: the job around us
    bool m_json = false;
    bool m_tell_restored = false;
    RestartOptions m_restarting;
    ProbeOptions m_probing;
};

} // namespace ckpt::cli
