// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt create, explain and restart: what is done with one job.
#pragma once

#include <CLI/CLI.hpp>

#include "restart.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

class JobCommands {
public:
    explicit JobCommands(CLI::App& app); // registers them
    [[nodiscard]] bool parsed() const;
    Status run();

private:
    CLI::App* m_create;
    CLI::App* m_explain;
    CLI::App* m_restart;
    std::uint32_t m_job_id = 0;
    bool m_json = false;
    RestartOptions m_restarting;
};

} // namespace ckpt::cli
