// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/dump_room.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "engine/copied_files.hpp"
#include "engine/criu_process.hpp"
#include "engine/local_files.hpp"
#include "engine/open_files.hpp"
#include "engine/user_child.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::uint64_t k_block = 512; // of st_blocks

// Memory that several processes share counts once.
std::uint64_t memory_of(pid_t root) {
    std::uint64_t most = 0;
    const auto pids = tree_pids(root);
    if (!pids) return 0;
    for (const pid_t pid : *pids)
        most = std::max(most, anonymous_bytes(pid).value_or(0));
    return most;
}

// Until it is taken for not known.
constexpr std::chrono::seconds k_patience{5};

// By their names, which the user may exchange: as the user, in their mounts. 0 = not known.
std::uint64_t bytes_of(const std::vector<LocalFile>& files, const wire::UserIds& user, int mount_ns) {
    if (files.empty()) return 0;
    const auto text = as_user(job_user(user), mount_ns, k_patience, [&]() -> Result<std::string> {
        std::uint64_t bytes = 0;
        for (const LocalFile& file : files) {
            struct stat st{};
            if (::lstat(file.full_path().c_str(), &st) == 0)
                bytes += static_cast<std::uint64_t>(st.st_blocks) * k_block;
        }
        return std::to_string(bytes);
    });
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::uint64_t bytes_of_copies(const wire::DumpRequest& request, int mount_ns) {
    if (request.files != wire::Files::copy) return 0;
    const auto record = record_tree(request.root_pid);
    const auto mapped = files_mapped_for_writing(request.root_pid);
    if (!record || !mapped) return 0;
    auto files = files_to_copy(record->files, *mapped, {});
    std::erase_if(files, [&](const LocalFile& file) { // which travels anyhow
        return !below_root(request.node_local, file.full_path()).first.empty();
    });
    return std::min(bytes_of(files, request.user, mount_ns), request.copy_limit);
}

} // namespace

Status judge_room(std::uint64_t memory, std::uint64_t files, std::uint64_t space) {
    if (memory + files <= space) return {};
    return fail(Code::dump_unfit,
                "a checkpoint needs " + text::bytes(memory + files) + " on the node's disk, " +
                    text::bytes(files) + " of these for files that the job uses, and there are " +
                    text::bytes(space),
                "free space below storage.local, or keep large files on a shared file system");
}

Status check_room(const wire::DumpRequest& request, const DumpFds& fds) {
    struct statvfs fs{};
    if (::fstatvfs(fds.images.get(), &fs) != 0) return {};
    LocalRules rules;
    rules.roots = request.node_local;
    rules.limit = request.node_local_limit;
    rules.uid = request.user.uid;
    const std::uint64_t files = std::min(bytes_of_local_files(request.root_pid, rules), rules.limit) +
                                bytes_of_copies(request, fds.mount_ns.get());
    const std::uint64_t space = std::uint64_t{fs.f_bavail} * fs.f_frsize + request.room_to_come;
    return judge_room(memory_of(request.root_pid), files, space);
}

} // namespace ckpt
