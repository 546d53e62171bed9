// SPDX-License-Identifier: GPL-2.0-or-later
#include "drain_command.hpp"

namespace ckpt::cli {

DrainCommand::DrainCommand(CLI::App& app)
    : m_drain(app.add_subcommand(
          "drain",
          "root: let no more jobs start on a node, and checkpoint and requeue those that run there")) {
    m_drain->add_option("NODE", m_options.node, "Slurm's name of the node")->required();
    m_drain->add_option("--reason", m_options.reason, "the reason that sinfo shows, default \"sckpt drain\"");
    m_drain->add_flag("-n,--dry-run", m_options.dry_run,
                      "only print which jobs would be saved and requeued, and which could not");
    m_drain->add_flag("--json", m_options.json, "one JSON object");
}

Result<int> DrainCommand::run() {
    constexpr int k_some_are_left = 2;
    CKPT_TRY(const bool all, drain(m_options));
    return all ? 0 : k_some_are_left;
}

} // namespace ckpt::cli
