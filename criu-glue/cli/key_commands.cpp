// SPDX-License-Identifier: GPL-2.0-or-later
#include "key_commands.hpp"

#include <unistd.h>

#include <iostream>

#include "store/key.hpp"

namespace ckpt::cli {

KeyCommands::KeyCommands(CLI::App& app)
    : m_key(app.add_subcommand("key", "the cluster's keys, which seal the images (root)")),
      m_create(add("create", "write a file with a new key; never replaces one")),
      m_add(add("add", "add a new key, which opens what it has sealed and does not seal yet")),
      m_use(add("use", "let a key seal from now on; the others still open", true)),
      m_list(add("list", "the ids of the keys, and which one seals")),
      m_remove(add("remove", "remove a key; what it has sealed is lost", true)) {
    m_key->require_subcommand(1);
}

CLI::App* KeyCommands::add(const std::string& name, const std::string& help, bool names_key) {
    CLI::App* command = m_key->add_subcommand(name, help);
    if (names_key) command->add_option("ID", m_id, "as 'sckpt key list' shows it")->required();
    command->add_option("PATH", m_path, "default /etc/slurm/checkpoint.key");
    return command;
}

Status KeyCommands::list() const {
    CKPT_TRY(const store::ClusterKeys keys, store::load_keys(m_path, ::geteuid()));
    for (const store::ClusterKey& key : keys.all())
        std::cout << key.id << (&key == &keys.sealing() ? "  seals\n" : "  opens\n");
    return {};
}

Status KeyCommands::run() const {
    const uid_t owner = ::geteuid();
    if (m_list->parsed()) return list();
    if (m_create->parsed()) {
        CKPT_CHECK(store::create_key(m_path));
        std::cout << "key written to " << m_path
                  << "; copy it to the same place on every node, readable by root only\n";
    } else if (m_add->parsed()) {
        CKPT_TRY(const std::string id, store::add_key(m_path, owner));
        std::cout << "key " << id << " added to " << m_path
                  << "; copy the file to every node, then 'sckpt key use " << id << "'\n";
    } else if (m_use->parsed()) {
        CKPT_CHECK(store::use_key(m_path, m_id, owner));
        std::cout << "key " << m_id << " seals on this node; copy " << m_path << " to every node\n";
    } else if (m_remove->parsed()) {
        CKPT_CHECK(store::remove_key(m_path, m_id, owner));
        std::cout << "key " << m_id << " removed from " << m_path << "\n";
        std::cerr
            << "sckpt: warning: what key " << m_id
            << " has sealed cannot be restored any more; while another node has a copy of the file with it, "
               "copy that back if this was too early\n";
    }
    return {};
}

} // namespace ckpt::cli
