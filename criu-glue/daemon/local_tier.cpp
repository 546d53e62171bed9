// SPDX-License-Identifier: GPL-2.0-or-later
#include "local_tier.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <limits>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr const char* k_tails = "tails";
constexpr const char* k_copies = "copies";
constexpr std::chrono::days k_tails_kept{14};
constexpr mode_t k_mode = 0700;

std::string task_name(const TaskKey& task) {
    return std::to_string(task.step_id) + "-" + std::to_string(task.task_id);
}

bool is_old(int dir, const char* name) {
    struct stat st{};
    if (::fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    return std::chrono::seconds(::time(nullptr) - st.st_mtim.tv_sec) > k_tails_kept;
}

void expire_tails_of(int root, const std::string& job) {
    {
        const auto dir = open_beneath(root, job, O_RDONLY | O_DIRECTORY);
        if (!dir || !is_old(dir->get(), k_tails)) return;
        (void)remove_tree(dir->get(), k_tails);
    }
    ::unlinkat(root, job.c_str(), AT_REMOVEDIR); // unless the job is here
}

} // namespace

Result<LocalTier> LocalTier::prepare(const std::string& path, const std::set<std::string>& kept,
                                     const Identity& keeper) {
    CKPT_TRY(Fd root, make_trusted_dir(path, k_mode));
    CKPT_TRY(Trash trash, Trash::open(root.get(), path));
    CKPT_TRY(const auto jobs, list_dir(root.get()));
    LocalTier tier(std::move(root), std::move(trash), keeper);
    for (const std::string& job : jobs)
        if (!kept.contains(job) && job != Trash::k_name) tier.sweep_job(job);
    return tier;
}

// Empties a job's directory except for the tails; an empty directory goes as well.
void LocalTier::sweep_job(const std::string& job) {
    {
        const auto dir = open_beneath(m_root.get(), job, O_RDONLY | O_DIRECTORY);
        if (!dir) return;
        const auto names = list_dir(dir->get());
        if (!names) return;
        for (const std::string& name : *names)
            if (name != k_tails) (void)m_trash.take(dir->get(), name);
        ::unlinkat(dir->get(), k_tails, AT_REMOVEDIR); // only if nothing was cut
    }
    ::unlinkat(m_root.get(), job.c_str(), AT_REMOVEDIR);
}

Result<Fd> LocalTier::make(const std::string& job, const std::string& name) {
    CKPT_TRY(const Fd dir, make_dir_beneath(m_root.get(), job, k_mode));
    CKPT_CHECK(m_trash.take(dir.get(), name));
    CKPT_TRY(Fd made, make_dir_beneath(dir.get(), name, k_mode));
    if (::fchown(made.get(), m_keeper_uid, m_keeper_gid) != 0)
        return fail_errno(Code::os, "give a directory for images to its keeper");
    return made;
}

Result<Fd> LocalTier::open(const std::string& job, const std::string& name) const {
    CKPT_TRY(const Fd dir, open_beneath(m_root.get(), job, O_RDONLY | O_DIRECTORY));
    return open_beneath(dir.get(), name, O_RDONLY | O_DIRECTORY);
}

Result<Fd> LocalTier::tails(const std::string& job) const {
    CKPT_TRY(const Fd dir, make_dir_beneath(m_root.get(), job, k_mode));
    return make_dir_beneath(dir.get(), k_tails, k_mode);
}

void LocalTier::remove(const std::string& job, const std::string& name) {
    const auto dir = open_beneath(m_root.get(), job, O_RDONLY | O_DIRECTORY);
    if (dir) (void)m_trash.take(dir->get(), name);
}

Status LocalTier::keep_copy(const std::string& job, const std::string& name, const std::string& copy) const {
    CKPT_TRY(const Fd dir, open_beneath(m_root.get(), job, O_RDONLY | O_DIRECTORY));
    CKPT_TRY(const Fd copies, make_dir_beneath(m_root.get(), k_copies, k_mode));
    if (::renameat(dir.get(), name.c_str(), copies.get(), copy.c_str()) != 0)
        return fail_errno(Code::os, "keep images on the node");
    return {};
}

Status LocalTier::use_copy(const std::string& copy, const std::string& job, const std::string& name) {
    CKPT_TRY(const Fd dir, make_dir_beneath(m_root.get(), job, k_mode));
    CKPT_TRY(const Fd copies, open_beneath(m_root.get(), k_copies, O_RDONLY | O_DIRECTORY));
    CKPT_CHECK(m_trash.take(dir.get(), name));
    if (::renameat(copies.get(), copy.c_str(), dir.get(), name.c_str()) != 0)
        return fail_errno(Code::os, "use the images on the node");
    return {};
}

void LocalTier::remove_copy(const std::string& copy) {
    const auto copies = open_beneath(m_root.get(), k_copies, O_RDONLY | O_DIRECTORY);
    if (copies) (void)m_trash.take(copies->get(), copy);
}

std::uint64_t LocalTier::space() const {
    struct statvfs fs{};
    if (::fstatvfs(m_root.get(), &fs) != 0) return std::numeric_limits<std::uint64_t>::max();
    return static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize + m_trash.bytes();
}

void LocalTier::expire_tails() const {
    const auto jobs = list_dir(m_root.get());
    if (!jobs) return;
    for (const std::string& job : *jobs)
        expire_tails_of(m_root.get(), job);
}

void LocalTier::remove_job(const std::string& job) {
    sweep_job(job);
}

std::string LocalTier::image_name(std::uint32_t generation, const TaskKey& task) {
    return "gen-" + std::to_string(generation) + "-part-" + task_name(task);
}

std::string LocalTier::restore_name(const TaskKey& task) {
    return "restore-" + task_name(task);
}

} // namespace ckpt
