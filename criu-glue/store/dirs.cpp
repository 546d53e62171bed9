// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/dirs.hpp"

#include <fcntl.h>

#include <cerrno>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt::store {

Result<Fd> open_dir(int parent, const std::string& name) {
    return open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
}

Result<Fd> make_durable_dir(int parent, const std::string& name) {
    CKPT_TRY(Fd dir, make_dir_beneath(parent, name, 0700));
    CKPT_CHECK(sync_fd(parent, "the directory above " + name));
    return dir;
}

Result<Fd> open_job_dir(const Base& base, const Owner& owner) {
    CKPT_CHECK(check_owner(owner));
    CKPT_TRY(const Fd cluster, open_dir(base.fd, owner.cluster));
    return open_dir(cluster.get(), job_dir_name(owner));
}

Result<Fd> make_job_dir(const Base& base, const Owner& owner) {
    CKPT_CHECK(check_owner(owner));
    CKPT_TRY(const Fd cluster, make_durable_dir(base.fd, owner.cluster));
    return make_durable_dir(cluster.get(), job_dir_name(owner));
}

Error store_error(Error error, const std::string& action) {
    error.what = action + ": " + error.what;
    if (error.errnum == ENOSPC || error.errnum == EDQUOT) {
        error.code = Code::store_full;
        if (error.hint.empty()) error.hint = "free space there or raise the quota";
    } else if (error.code == Code::os || error.code == Code::not_found) {
        error.code = Code::store_unwritable;
    }
    return error;
}

} // namespace ckpt::store
