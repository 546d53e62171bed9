// SPDX-License-Identifier: GPL-2.0-or-later
// The node-local, root-owned directory that takes dumps and unpacked images:
//   <local>/<jobid>-<uuid8>-inc<N>/{gen-G-part-S-T, restore-S-T, tails}, <local>/copies/…, <local>/trash/…
// All of it is of this daemon's making and short-lived.
#pragma once

#include <set>
#include <string>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"
#include "state.hpp"
#include "trash.hpp"

namespace ckpt {

class LocalTier {
public:
    // Opens (or makes) the directory and throws away what an earlier daemon left in it, except for the jobs
    // in `kept`. Tails of rolled-back files stay for 14 days. What is thrown away here and below is removed
    // by whoever empties trash(). `keeper`: who gets the directories that make() makes; only root and who has
    // been passed a descriptor gets there.
    static Result<LocalTier> prepare(const std::string& path, const std::set<std::string>& kept,
                                     const Identity& keeper);

    // An empty directory for one purpose of one job; an old one of that name is removed first.
    Result<Fd> make(const std::string& job, const std::string& name);
    // A directory that make() made.
    Result<Fd> open(const std::string& job, const std::string& name) const;
    // The job's directory for the cut tails of its output files; created when missing, never emptied.
    Result<Fd> tails(const std::string& job) const;
    void remove(const std::string& job, const std::string& name);
    // What was made as `name` of a job becomes a copy, <local>/copies/COPY, which belongs to no job.
    Status keep_copy(const std::string& job, const std::string& name, const std::string& copy) const;
    // A copy becomes `name` of a job, in the place of what that was.
    Status use_copy(const std::string& copy, const std::string& job, const std::string& name);
    void remove_copy(const std::string& copy);
    // Bytes that are free, or will be when the trash is emptied.
    [[nodiscard]] std::uint64_t space() const;
    // Removes tails older than 14 days.
    void expire_tails() const;
    // Everything of the job but its tails.
    void remove_job(const std::string& job);
    Trash& trash() { return m_trash; }

    static std::string image_name(std::uint32_t generation, const TaskKey& task);
    static std::string restore_name(const TaskKey& task);

private:
    LocalTier(Fd root, Trash trash, const Identity& keeper)
        : m_root(std::move(root)), m_trash(std::move(trash)), m_keeper_uid(keeper.uid),
          m_keeper_gid(keeper.gid) {}
    void sweep_job(const std::string& job);

    Fd m_root;
    Trash m_trash;
    uid_t m_keeper_uid;
    gid_t m_keeper_gid;
};

} // namespace ckpt
