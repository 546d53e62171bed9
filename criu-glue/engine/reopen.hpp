// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a restore could open again what the tree has open. It does that by path and with the user's rights
// (criu_rights.hpp), while a program keeps what it was once given: a file that it made with a mode that
// forbids to write to it, a directory that it came to before its mode was changed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

struct OpenedByPath {
    std::string path;
    std::uint32_t flags = 0; // open(2)
    bool is_gone = false;    // the name: CRIU makes the file, or opens it under another one
    bool operator==(const OpenedByPath&) const = default;
};

// Every file and directory that the tree has open, mapped, or as its working or root directory, by the name
// that CRIU gives it.
Result<std::vector<OpenedByPath>> opened_by_path(int images);

// Code::dump_refused, with the first of `files` that `user` could not open like this, in `mount_ns`. What is
// not there, or does not answer in time, says nothing.
Status check_reopen(const std::vector<OpenedByPath>& files, const JobUser& user, int mount_ns,
                    std::chrono::milliseconds patience);

} // namespace ckpt
