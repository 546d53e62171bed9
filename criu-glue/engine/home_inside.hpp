// SPDX-License-Identifier: GPL-2.0-or-later
// The forked child that turns itself into pid 1 of a home.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "engine/home.hpp"
#include "os/creds.hpp"

namespace ckpt {

// The node's root directory and criu, to be found again inside.
struct NodeFiles {
    struct stat root{};
    struct stat criu{};
};
Result<NodeFiles> node_files(const std::string& criu);

struct InsideFds {
    std::vector<Fd> cgroups; // cgroup.procs files
    Fd init;                 // ckpt-init's program file
    Fd control;
    Fd criu;
    Fd report;
    NodeFiles node;
};

// Written into `report` when something fails before the exec.
struct HomeFailure {
    static constexpr std::uint16_t k_type = 91; // never leaves the engine
    wire::Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

[[noreturn]] void become_pid1(Root root, const HomeSpec& spec, InsideFds& fds);

} // namespace ckpt
