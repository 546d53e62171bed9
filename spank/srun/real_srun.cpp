// SPDX-License-Identifier: GPL-2.0-or-later
#include "real_srun.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string_view>
#include <utility>

namespace ckpt {

namespace {

bool same_file(const std::string& a, const std::string& b) {
    struct stat first{};
    struct stat second{};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool is_program(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// Calls `see` with each directory of `path`, until it says true.
template <typename See>
void each_directory(std::string_view path, See see) {
    for (;;) {
        const std::size_t end = path.find(':');
        if (see(path.substr(0, end)) || end == std::string_view::npos) return;
        path.remove_prefix(end + 1);
    }
}

} // namespace

std::string without_stand_in(const std::string& path) {
    std::string rest;
    bool first = true;
    each_directory(path, [&](std::string_view dir) {
        if (dir == k_stand_in_dir) return false;
        if (!std::exchange(first, false)) rest += ':';
        rest += dir;
        return false;
    });
    return rest;
}

std::string find_real_srun(const std::string& path, const std::string& self) {
    std::string found;
    each_directory(path, [&](std::string_view dir) {
        const std::string candidate = (dir.empty() ? std::string(".") : std::string(dir)) + "/srun";
        if (dir == k_stand_in_dir || !is_program(candidate) || same_file(candidate, self)) return false;
        found = candidate;
        return true;
    });
    return found;
}

} // namespace ckpt
