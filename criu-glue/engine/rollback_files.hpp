// SPDX-License-Identifier: GPL-2.0-or-later
// Carries a rollback out, as the user and in the task's mount namespace, and takes it back.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/cut_record.hpp"
#include "engine/rollback.hpp"
#include "engine/tails.hpp"
#include "os/creds.hpp"
#include "os/fd.hpp"

namespace ckpt {

class Rollback {
public:
    // `task`: as in CutRecord.
    Rollback(JobUser user, int mount_ns, Tails& tails, const std::string& task)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_tails(tails), m_record(tails, task) {}

    // Looks at the files and decides; changes nothing.
    Status plan(const std::vector<RecordedFile>& files, const RollbackRules& rules,
                std::chrono::milliseconds limit);
    // Copies the tails away, then cuts. When it fails, undo() puts back what it has cut already.
    Status apply(std::chrono::milliseconds limit);
    // Puts the tails back where nothing was written since.
    Status undo(std::chrono::milliseconds limit);
    // After the restore: the newest `keep_most` bytes of each tail stay.
    void settle(std::uint64_t keep_most);

    // complaints_in() the end of what was cut.
    [[nodiscard]] std::vector<std::string> cut_complaints() const;
    [[nodiscard]] const std::vector<Cut>& cuts() const { return m_plan.cuts; }
    [[nodiscard]] const std::vector<std::string>& ignored() const { return m_plan.ignored; }

private:
    Status make_tail_files();
    Status record_cuts();
    void drop_tails();

    JobUser m_user;
    int m_mount_ns;
    Tails& m_tails;
    CutRecord m_record;
    RollbackPlan m_plan;
    std::vector<Tail> m_kept; // belong to the cuts by index
    std::size_t m_applied = 0;
};

} // namespace ckpt
