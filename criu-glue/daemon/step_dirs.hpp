// SPDX-License-Identifier: GPL-2.0-or-later
// A directory per job for the sockets between its shim and srun's stand-ins (wire/step_messages.hpp): at the
// same path on every node, since restored stand-ins look for it there, and the user's alone.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class StepDirs {
public:
    // Of a job's sockets; of another user's job with that id, which comes when ids are used again, it
    // differs.
    static std::string name_of(std::uint32_t uid, std::uint32_t job_id);
    // Whether it is one of that user's.
    static bool is_of(const std::string& name, std::uint32_t uid);

    // Whether a job of that user's may go on with the stand-ins that are bound there; `in_use`: by jobs that
    // are here. Code::restore_impossible.
    static Status may_take(const std::string& name, std::uint32_t uid, const std::set<std::string>& in_use);

    // Opens (or makes) `path`, and puts aside all directories in it but those in `kept`. What users put there
    // is bounded by a file system of its own, if root may mount one.
    static Result<StepDirs> open(const std::string& path, const std::set<std::string>& kept);
    // Anew, empty.
    Status make(const std::string& name, const JobUser& user);
    // That the job in the cgroup of this name has the directory `name` (wire::step_link_name).
    void link(std::uint32_t uid, const std::string& job_cgroup, const std::string& name);
    // With the links to it.
    void remove(const std::string& name);
    // Paths of what was put aside. Nobody but root gets there any more; there may be very much in it, so
    // whoever must not wait has it removed by another process.
    std::vector<std::string> take_aside() { return std::exchange(m_aside, {}); }
    // They are there still.
    void give_back(const std::vector<std::string>& paths) {
        m_aside.insert(m_aside.end(), paths.begin(), paths.end());
    }

private:
    StepDirs(Fd dir, std::string path) : m_dir(std::move(dir)), m_path(std::move(path)) {}
    void put_aside(const std::string& name);
    void unlink_all_to(const std::string& name);
    Fd m_dir;
    std::string m_path;
    std::vector<std::string> m_aside;
    unsigned m_count = 0;
};

} // namespace ckpt
