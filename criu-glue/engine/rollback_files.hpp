// SPDX-License-Identifier: GPL-2.0-or-later
// Carries a rollback out, as the user and in the task's mount namespace, and takes it back.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/rollback.hpp"
#include "os/creds.hpp"
#include "os/fd.hpp"

namespace ckpt {

class Rollback {
public:
    // `tails`: a root-owned directory that gets one file per cut tail, and an index of them.
    Rollback(Identity user, int mount_ns, int tails)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_tails(tails) {}

    // Looks at the files and decides; changes nothing.
    Status plan(const std::vector<RecordedFile>& files, bool tree_was_stopped,
                std::chrono::milliseconds limit);
    // Copies the tails away, then cuts. When it fails, what it has cut already is put back.
    Status apply(std::chrono::milliseconds limit);
    // Puts the tails back where nothing was written since.
    Status undo(std::chrono::milliseconds limit);

    // complaints_in() the end of what was cut.
    [[nodiscard]] std::vector<std::string> cut_complaints() const;
    [[nodiscard]] const std::vector<Cut>& cuts() const { return m_cuts; }

private:
    Status make_tail_files();
    void drop_tails();

    Identity m_user;
    int m_mount_ns;
    int m_tails;
    std::vector<Cut> m_cuts;
    std::vector<Fd> m_tail_files; // belong to m_cuts by index
    std::vector<std::string> m_tail_names;
    std::size_t m_applied = 0;
};

} // namespace ckpt
