// SPDX-License-Identifier: GPL-2.0-or-later
#include "step_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <format>
#include <fstream>
#include <optional>
#include <string>

#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

// The same on every node, which the number of a file system is not.
std::int64_t birth_of(int dir, const std::string& name, int flags) {
    struct statx st{};
    if (::statx(dir, name.c_str(), flags, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
        return 0;
    return std::int64_t{st.stx_btime.tv_sec} * 1'000'000'000 + st.stx_btime.tv_nsec;
}

std::optional<wire::StepOutput> written_file(int fds, int infos, const std::string& name,
                                             const FileNumbers& known) {
    struct stat status{};
    if (::fstatat(fds, name.c_str(), &status, 0) != 0 || !S_ISREG(status.st_mode) || status.st_nlink == 0)
        return std::nullopt;
    if (known.contains({status.st_dev, status.st_ino})) return std::nullopt;
    const auto info = fd_info(infos, name);
    if (!info || (info->flags & O_ACCMODE) == O_RDONLY) return std::nullopt;
    return wire::StepOutput{link_target(fds, name), birth_of(fds, name, 0), status.st_ino,
                            static_cast<std::uint64_t>(status.st_size)};
}

} // namespace

FileNumbers numbers_of(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return {};
    return {{status.st_dev, status.st_ino}};
}

std::vector<wire::StepOutput> files_written_by(pid_t pid, const FileNumbers& known) {
    const std::string proc = "/proc/" + std::to_string(pid);
    const Fd fds(::open((proc + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Fd infos(::open((proc + "/fdinfo").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fds || !infos) return {};
    const auto names = list_dir(fds.get());
    if (!names) return {};
    std::vector<wire::StepOutput> files;
    for (const std::string& name : *names)
        if (auto file = written_file(fds.get(), infos.get(), name, known)) files.push_back(std::move(*file));
    return files;
}

void cut_back(const wire::StepOutput& output) {
    const Fd file(::open(output.path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (status.st_ino != output.inode || static_cast<std::uint64_t>(status.st_size) <= output.size) return;
    const std::int64_t born = birth_of(file.get(), "", AT_EMPTY_PATH);
    if (born != 0 && output.born_ns != 0 && born != output.born_ns) return;
    (void)!::ftruncate(file.get(), static_cast<off_t>(output.size));
}

std::vector<std::int32_t> processes_below(pid_t pid) {
    std::vector<std::int32_t> all{pid};
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string task = "/proc/" + std::to_string(all[i]) + "/task";
        const Fd dir(::open(task.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const auto threads = dir ? list_dir(dir.get()) : Result<std::vector<std::string>>();
        if (!threads) continue;
        for (const std::string& thread : *threads) {
            std::ifstream children(std::format("{}/{}/children", task, thread));
            for (std::int32_t child = 0; children >> child;)
                all.push_back(child);
        }
    }
    return all;
}

} // namespace ckpt
