// SPDX-License-Identifier: GPL-2.0-or-later
// sckpt key …: the file with the cluster's keys, and how a key is replaced while the cluster is at work
// (docs/format.md, "Key file").
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "result/result.hpp"

namespace ckpt::cli {

class KeyCommands {
public:
    explicit KeyCommands(CLI::App& app); // registers them
    [[nodiscard]] Status run() const;

private:
    CLI::App* add(const std::string& name, const std::string& help, bool names_key = false);
    [[nodiscard]] Status list() const;

    std::string m_path = "/etc/slurm/checkpoint.key";
    std::string m_id;
    CLI::App* m_key;
    CLI::App* m_create;
    CLI::App* m_add;
    CLI::App* m_use;
    CLI::App* m_list;
    CLI::App* m_remove;
};

} // namespace ckpt::cli
