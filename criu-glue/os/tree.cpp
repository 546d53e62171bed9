// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/tree.hpp"

#include <fcntl.h>

#include <ranges>
#include <sstream>
#include <string>

#include "os/fd.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_children_max = 4 << 20;

// Children belong to the thread that forked them, hence one list per thread.
Status append_children(pid_t pid, std::vector<pid_t>& out) {
    CKPT_TRY(const Fd proc, open_proc(pid));
    const Fd tasks(::openat(proc.get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tasks) return fail_errno(Code::os, "list the threads of pid " + std::to_string(pid));
    CKPT_TRY(const auto threads, list_dir(tasks.get()));
    for (const std::string& thread : threads) {
        const Fd file(::openat(tasks.get(), (thread + "/children").c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) continue; // the thread has ended
        auto text = read_all(file.get(), k_children_max);
        if (!text) continue;
        std::istringstream in(std::move(*text));
        for (pid_t child = 0; in >> child;)
            out.push_back(child);
    }
    return {};
}

} // namespace

Result<std::vector<pid_t>> child_pids(pid_t pid) {
    std::vector<pid_t> pids;
    CKPT_CHECK(append_children(pid, pids));
    return pids;
}

Result<std::vector<pid_t>> tree_pids(pid_t root) {
    std::vector<pid_t> pids{root};
    for (std::size_t at = 0; at < pids.size(); ++at) {
        const Status listed = append_children(pids[at], pids);
        if (!listed && at == 0) return tl::unexpected(listed.error()); // others may have ended meanwhile
    }
    return pids;
}

void signal_tree(pid_t root, uid_t uid, int signal) {
    const auto tree = tree_pids(root);
    if (!tree) return;
    for (const pid_t pid : std::views::reverse(*tree)) {
        const auto before = process_info(pid);
        const auto pidfd = open_pidfd(pid);
        if (!before || !pidfd || before->uid != uid) continue;
        const auto now = process_info(pid); // the descriptor is bound: is it still that process?
        if (now && now->start_time == before->start_time) (void)signal_pidfd(pidfd->get(), signal);
    }
}

} // namespace ckpt
