// SPDX-License-Identifier: GPL-2.0-or-later
// The directories of the store. Whoever opens the base decides whether to trust it (the sealer does so by
// walking it from "/", os/safe_path.hpp); everything below is reached from that descriptor and never by path.
#pragma once

#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "store/names.hpp"

namespace ckpt::store {

struct Base {
    int fd = -1;
    std::string path; // for messages only
};

// A directory right below `parent`; a link or anything else in its place is an error, ENOENT Code::not_found.
Result<Fd> open_dir(int parent, const std::string& name);
// Makes a directory (0700) that survives a crash, or opens it.
Result<Fd> make_durable_dir(int parent, const std::string& name);

// The job's directory. Code::not_found only when it does not exist: a store that cannot be read is not an
// empty one.
Result<Fd> open_job_dir(const Base& base, const Owner& owner);
Result<Fd> make_job_dir(const Base& base, const Owner& owner);

// `error` as an error of the store: "ACTION: what", store_full for ENOSPC and EDQUOT, store_unwritable for
// other failed system calls.
Error store_error(Error error, const std::string& action);

} // namespace ckpt::store
