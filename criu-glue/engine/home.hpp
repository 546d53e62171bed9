// SPDX-License-Identifier: GPL-2.0-or-later
// Where a tree is restored: a pid and a mount namespace of its own, born in the job's cgroup, with criu
// inside.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/criu_client.hpp"
#include "engine/record.hpp"
#include "os/creds.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"
#include "result/result.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// A descriptor for criu to hand to the tree.
struct PassedFile {
    int fd = -1;      // passed as it is when `path` is empty
    std::string path; // else opened anew inside, as the user: a file of another mount namespace could not be
    int flags = 0;    // dumped again ("Can't lookup mount", files-reg.c)
    std::uint64_t inode = 0; // what must be found there; 0 = anything
    std::uint64_t position = 0;
};

struct HomeSpec {
    std::string criu;
    CapabilitySet rights = 0;
    bool fresh_ipc = true; // false: criu restores the IPC namespace
    wire::UserIds user;
    std::vector<std::string> cgroup_dirs;
    int mount_ns = -1; // the shim's, of which the home gets a private copy
    int images = -1;
    ClockReadings clocks;
    pid_t last_pid = 0;
    std::vector<PassedFile> passed; // criu's descriptors k_criu_first_inherited and up, in this order
};

struct Home {
    Child pid1; // killing it ends everything inside
    Fd control; // to ckpt-init pid1 (init/pid1.hpp)
    Fd criu;    // the swrk socket
};

// Code::deadline when it is not there by then, as when a file server hangs.
Result<Home> make_home(Root root, const HomeSpec& spec, Deadline deadline);

} // namespace ckpt
