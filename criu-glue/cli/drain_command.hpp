// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include "drain.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

class DrainCommand {
public:
    explicit DrainCommand(CLI::App& app);
    [[nodiscard]] bool parsed() const { return m_drain->parsed(); }
    Result<int> run(); // the exit status: 2 when jobs are left on the node

private:
    CLI::App* m_drain;
    DrainOptions m_options;
};

} // namespace ckpt::cli
