// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_dirs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_open = 0755; // everybody passes, nobody but root writes

} // namespace

Result<StepDirs> StepDirs::open(const std::string& path, const std::set<std::string>& kept) {
    CKPT_TRY(Fd dir, make_trusted_dir(path, k_open));
    if (::fchmod(dir.get(), k_open) != 0) return fail_errno(Code::os, "set the mode of " + path);
    CKPT_TRY(const auto names, list_dir(dir.get()));
    for (const std::string& name : names)
        if (!kept.contains(name)) (void)remove_tree(dir.get(), name);
    return StepDirs(std::move(dir));
}

Status StepDirs::make(const std::string& name, const Identity& user) const {
    CKPT_CHECK(remove_tree(m_dir.get(), name));
    CKPT_TRY(const Fd dir, make_dir_beneath(m_dir.get(), name, 0700));
    if (::fchown(dir.get(), user.uid, user.gid) != 0)
        return fail_errno(Code::os, "give the directory for srun's sockets to its user");
    return {};
}

void StepDirs::remove(const std::string& name) const {
    (void)remove_tree(m_dir.get(), name);
}

} // namespace ckpt
