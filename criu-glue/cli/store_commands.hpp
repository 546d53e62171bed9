// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt list, show, report, verify and prune: what is in the store; and metrics: what ckptd has done.
#pragma once

#include <CLI/CLI.hpp>

#include "generations.hpp"
#include "prune.hpp"
#include "result/result.hpp"

namespace ckpt::cli {

class StoreCommands {
public:
    explicit StoreCommands(CLI::App& app); // registers them
    [[nodiscard]] bool parsed() const;
    Status run();

private:
    CLI::App* m_list;
    CLI::App* m_show;
    CLI::App* m_verify;
    CLI::App* m_prune;
    CLI::App* m_report;
    CLI::App* m_metrics;
    std::string m_html;
    ListOptions m_listing;
    PruneOptions m_pruning;
    bool m_no_header = false;
};

} // namespace ckpt::cli
