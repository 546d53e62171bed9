// SPDX-License-Identifier: GPL-2.0-or-later
// A directory per job for the sockets between its shim and srun's stand-ins (wire/step_messages.hpp): at the
// same path on every node, since restored stand-ins look for it there, and the user's alone.
#pragma once

#include <set>
#include <string>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class StepDirs {
public:
    // Opens (or makes) `path`, and removes all directories in it but those in `kept`.
    static Result<StepDirs> open(const std::string& path, const std::set<std::string>& kept);
    // Anew: `name` is a plain one.
    Status make(const std::string& name, const Identity& user) const;
    void remove(const std::string& name) const;

private:
    explicit StepDirs(Fd dir) : m_dir(std::move(dir)) {}
    Fd m_dir;
};

} // namespace ckpt
