// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/task_environment.hpp"

#include <fcntl.h>

#include <algorithm>

#include "os/files.hpp"
#include "os/procfs.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_environment_max = 8 << 20;

} // namespace

Result<std::string> environment_of(pid_t pid) {
    CKPT_TRY(const Fd proc, open_proc(pid));
    const Fd file(::openat(proc.get(), "environ", O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "read the environment of pid " + std::to_string(pid));
    return read_all(file.get(), k_environment_max);
}

std::string_view variable_in(std::string_view environment, std::string_view name) {
    while (!environment.empty()) {
        const std::size_t end = std::min(environment.find('\0'), environment.size());
        const std::string_view entry = environment.substr(0, end);
        if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=')
            return entry.substr(name.size() + 1);
        environment.remove_prefix(std::min(end + 1, environment.size()));
    }
    return {};
}

} // namespace ckpt
