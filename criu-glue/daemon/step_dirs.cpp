// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_dirs.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <ctime>
#include <format>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_open = 0755; // everybody passes, nobody but root writes
constexpr const char* k_limits = "mode=0755,size=16m,nr_inodes=64k";
constexpr std::string_view k_aside = ".aside-";

// Users must not fill /run with what they put into their directories.
void mount_limited(const std::string& path) {
    struct stat here{};
    struct stat above{};
    if (::stat(path.c_str(), &here) != 0 || ::stat((path + "/..").c_str(), &above) != 0) return;
    if (here.st_dev != above.st_dev) return; // by a daemon before us
    (void)::mount("ckptd", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, k_limits);
}

} // namespace

std::string StepDirs::name_of(std::uint32_t uid, std::uint32_t job_id) {
    return wire::step_dir_name(uid, std::to_string(job_id));
}

bool StepDirs::is_of(const std::string& name, std::uint32_t uid) {
    return name.starts_with(wire::step_dir_name(uid, "")) && name.find('/') == std::string::npos;
}

Status StepDirs::may_take(const std::string& name, std::uint32_t uid, const std::set<std::string>& in_use) {
    if (!is_of(name, uid))
        return fail(Code::restore_impossible, "the checkpoint's directory of stand-ins is another user's");
    if (in_use.contains(name))
        return fail(Code::restore_impossible, "the job that this one goes on from is still on this node",
                    "scontrol release this one in a moment");
    return {};
}

Result<StepDirs> StepDirs::open(const std::string& path, const std::set<std::string>& kept) {
    CKPT_CHECK(make_trusted_dir(path, k_open).map([](const Fd&) {}));
    mount_limited(path);
    CKPT_TRY(Fd dir, make_trusted_dir(path, k_open));
    if (::fchmod(dir.get(), k_open) != 0) return fail_errno(Code::os, "set the mode of " + path);
    CKPT_TRY(const auto names, list_dir(dir.get()));
    StepDirs dirs(std::move(dir), path);
    for (const std::string& name : names) {
        const std::string leads_to = link_target(dirs.m_dir.get(), name);
        if (kept.contains(leads_to.empty() ? name : leads_to)) continue;
        if (leads_to.empty())
            dirs.put_aside(name);
        else
            (void)::unlinkat(dirs.m_dir.get(), name.c_str(), 0);
    }
    return dirs;
}

// From then on its user can make nothing in it any more, not even through a descriptor: the permission is
// asked for with each new name (namei.c:may_create). By name, since nobody but root changes what that stands
// for, and since there may be no descriptor left to open.
void StepDirs::put_aside(const std::string& name) {
    if (::fchownat(m_dir.get(), name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) == 0)
        (void)!::fchmodat(m_dir.get(), name.c_str(), 0700, 0);
    std::string aside = name;
    if (!name.starts_with(k_aside)) {
        aside = std::format("{}{}-{}-{}", k_aside, std::time(nullptr), m_count++, name);
        if (::renameat(m_dir.get(), name.c_str(), m_dir.get(), aside.c_str()) != 0) return;
    }
    m_aside.push_back(m_path + "/" + aside);
}

Status StepDirs::make(const std::string& name, const JobUser& user) {
    put_aside(name);
    CKPT_TRY(const Fd dir, make_dir_beneath(m_dir.get(), name, 0700));
    if (::fchown(dir.get(), user.uid, user.gid) != 0)
        return fail_errno(Code::os, "give the directory for srun's sockets to its user");
    return {};
}

void StepDirs::link(std::uint32_t uid, const std::string& job_cgroup, const std::string& name) {
    const std::string link = wire::step_link_name(uid, job_cgroup);
    (void)::unlinkat(m_dir.get(), link.c_str(), 0);
    (void)!::symlinkat(name.c_str(), m_dir.get(), link.c_str()); // without it the environment is believed
}

void StepDirs::unlink_all_to(const std::string& name) {
    const auto names = list_dir(m_dir.get());
    if (!names) return;
    for (const std::string& link : *names)
        if (link_target(m_dir.get(), link) == name) (void)::unlinkat(m_dir.get(), link.c_str(), 0);
}

void StepDirs::remove(const std::string& name) {
    unlink_all_to(name);
    put_aside(name);
}

} // namespace ckpt
