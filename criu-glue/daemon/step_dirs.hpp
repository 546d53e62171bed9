// SPDX-License-Identifier: GPL-2.0-or-later
// A directory per job for the sockets between its shim and srun's stand-ins (wire/step_messages.hpp): at the
// same path on every node, since restored stand-ins look for it there, and the user's alone.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class StepDirs {
public:
    // Opens (or makes) `path`, and removes the directories of all jobs but those in `kept`.
    static Result<StepDirs> open(const std::string& path, const std::set<std::uint32_t>& kept);
    Status make(std::uint32_t job_id, const Identity& user) const;
    void remove(std::uint32_t job_id) const;

private:
    explicit StepDirs(Fd dir) : m_dir(std::move(dir)) {}
    Fd m_dir;
};

} // namespace ckpt
