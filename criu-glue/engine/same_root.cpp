// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/same_root.hpp"

#include <sys/stat.h>

namespace ckpt {

namespace {

bool same_file(const std::string& a, const std::string& b) {
    struct stat first{};
    struct stat second{};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace

Status check_same_root(pid_t pid, const std::string& criu) {
    const std::string root = "/proc/" + std::to_string(pid) + "/root";
    if (same_file("/", root + "/") && same_file(criu, root + criu)) return {};
    return fail(Code::dump_refused, "the job runs in another root file system than the node's",
                "jobs in containers cannot be checkpointed");
}

} // namespace ckpt
