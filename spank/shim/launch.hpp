// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// What slurmstepd would have executed.
struct Application {
    std::string program;               // the file, found as slurmstepd would
    std::vector<char*> argv;           // argv[0] is `program`; nullptr last
    sigset_t mask{};                   // the mask it starts with
    rlimit files{};                    // its limit of open files, which the shim raises for itself
    std::array<int, 3> stdio{0, 1, 2}; // its standard streams, as numbers in the shim
    bool dated_messages = false;       // slurmstepd's have the time before them
    std::string steps; // directory with the socket for srun's stand-ins; empty: srun is left alone
};

// A running tree: ckpt-init with the application below it.
struct Tree {
    Fd root;         // pidfd of ckpt-init
    pid_t child = 0; // its pid when it is our child, 0 after a restore
};

// Starts the application below ckpt-init; `status_pipe` is {read end, write end}, and the write end is closed
// here. An execve that failed ends the shim as it would have ended the task. An error means that nothing was
// started.
Result<Tree> launch(const Application& application, int status_read, Fd status_write);

// The user's limit of open files may leave no room for our few. Returns the limit that was in force.
rlimit raise_file_limit();

// Becomes the application. Does not return.
[[noreturn]] void become(const Application& application);

} // namespace ckpt
