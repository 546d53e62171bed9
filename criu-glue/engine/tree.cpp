// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/tree.hpp"

#include <fcntl.h>

#include <sstream>
#include <string>

#include "os/fd.hpp"
#include "os/files.hpp"
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

Result<std::vector<pid_t>> tree_pids(pid_t root) {
    std::vector<pid_t> pids{root};
    for (std::size_t at = 0; at < pids.size(); ++at) {
        const Status listed = append_children(pids[at], pids);
        if (!listed && at == 0) return tl::unexpected(listed.error()); // others may have ended meanwhile
    }
    return pids;
}

} // namespace ckpt
