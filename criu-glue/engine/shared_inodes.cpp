// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/shared_inodes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <map>
#include <sstream>

#include "engine/ipc.hpp"
#include "engine/local_files.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_maps_max = 256 << 20;
constexpr std::string_view k_no_name = " (deleted)"; // the kernel's word for memfd and System V memory too

class Held {
public:
    explicit Held(const std::vector<std::string>& roots) : m_roots(roots) {}

    Status look_at(pid_t pid) {
        CKPT_TRY(const Fd proc, open_proc(pid));
        CKPT_CHECK(look_at_mappings(proc.get()));
        return look_at_descriptors(proc.get());
    }

    void add(dev_t device, ino_t inode, bool is_written) { m_written[{device, inode}] |= is_written; }

    [[nodiscard]] Result<std::vector<wire::HeldInode>> take() const {
        if (m_written.size() > wire::DumpStopped::k_held_max)
            return fail(Code::dump_refused, "the job's processes have too many files without a name at once");
        std::vector<wire::HeldInode> out;
        for (const auto& [id, is_written] : m_written)
            out.push_back({id.first, id.second, is_written});
        return out;
    }

private:
    [[nodiscard]] bool is_made_anew(const std::string& path) const {
        return path.ends_with(k_no_name) || !below_root(m_roots, path).first.empty();
    }

    // proc_pid_maps(5): ADDRESSES rwxs OFFSET MAJOR:MINOR INODE PATH
    Status look_at_mappings(int proc) {
        const Fd file(::openat(proc, "maps", O_RDONLY | O_CLOEXEC));
        if (!file) return fail_errno(Code::os, "read a process's mappings");
        CKPT_TRY(const std::string text, read_all(file.get(), k_maps_max));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string addresses;
            std::string rights;
            std::string offset;
            std::string path;
            unsigned major = 0;
            unsigned minor = 0;
            char colon = 0;
            ino_t inode = 0;
            words >> addresses >> rights >> offset >> std::hex >> major >> colon >> minor >> std::dec >>
                inode >> std::ws;
            if (!words || rights.size() != 4 || rights[3] != 's' || !std::getline(words, path)) continue;
            if (inode != 0 && is_made_anew(path)) add(::makedev(major, minor), inode, rights[1] == 'w');
        }
        return {};
    }

    Status look_at_descriptors(int proc) {
        const Fd fds(::openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const Fd fdinfo(::openat(proc, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fds || !fdinfo) return fail_errno(Code::os, "list a process's descriptors");
        CKPT_TRY(const auto names, list_dir(fds.get()));
        for (const std::string& name : names) {
            const std::string path = link_target(fds.get(), name);
            if (!path.starts_with('/')) continue; // pipes, sockets and the like
            struct stat st{};
            if (::fstatat(fds.get(), name.c_str(), &st, 0) != 0) continue;
            if (!S_ISFIFO(st.st_mode) && !(S_ISREG(st.st_mode) && is_made_anew(path))) continue;
            const auto info = fd_info(fdinfo.get(), name);
            add(st.st_dev, st.st_ino, S_ISFIFO(st.st_mode) || !info || (info->flags & O_ACCMODE) != O_RDONLY);
        }
        return {};
    }

    const std::vector<std::string>& m_roots;
    std::map<std::pair<dev_t, ino_t>, bool> m_written;
};

} // namespace

Result<std::vector<wire::HeldInode>> held_inodes(Root rights, pid_t root,
                                                 const std::vector<std::string>& roots) {
    Held held(roots);
    CKPT_TRY(const auto pids, tree_pids(root));
    for (const pid_t pid : pids) {
        const auto info = process_info(pid);
        if (info && info->state != 'Z') CKPT_CHECK(held.look_at(pid));
    }
    // The tasks of a step share one namespace.
    if (has_sysv_objects(rights, root).value_or(false)) {
        const std::string ns = "/proc/" + std::to_string(root) + "/ns/ipc";
        struct stat st{};
        if (::stat(ns.c_str(), &st) == 0) held.add(st.st_dev, st.st_ino, true);
    }
    return held.take();
}

} // namespace ckpt
