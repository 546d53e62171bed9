// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
//
// Whose rights a request has: those of the process that made it, without root's.
#pragma once

#include <sys/types.h>

#include <vector>

#include "fuse.hpp"

namespace rootsquash {

struct Caller {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};

// Uid and gid 0 have become k_nobody, as a server with root_squash has it.
Caller caller_of(fuse_req_t request);

// While it lives, the file system sees this thread as that caller, and none of root's capabilities for files
// (kernel capabilities(7), "Effect of user ID changes"). Open files are not concerned.
class Acting {
public:
    explicit Acting(const Caller& caller);
    explicit Acting(fuse_req_t request) : Acting(caller_of(request)) {}
    ~Acting();
    Acting(const Acting&) = delete;
    Acting& operator=(const Acting&) = delete;
};

} // namespace rootsquash
