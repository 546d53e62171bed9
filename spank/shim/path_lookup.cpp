// SPDX-License-Identifier: GPL-2.0-or-later
#include "path_lookup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <string_view>

namespace ckpt {

namespace {

// As slurmstepd's buffer of PATH_MAX bytes does.
std::string cut(std::string path) {
    if (path.size() >= PATH_MAX) path.resize(PATH_MAX - 1);
    return path;
}

bool is_candidate(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

} // namespace

std::string build_path(const std::string& name, const char* path) {
    if (name.starts_with('/')) return cut(name);
    if (name.starts_with('.')) {
        std::array<char, PATH_MAX> cwd{};
        if (::getcwd(cwd.data(), cwd.size()) == nullptr) cwd.front() = '\0';
        return cut(std::string(cwd.data()) + "/" + name);
    }
    std::string_view rest = path != nullptr ? path : "";
    while (!rest.empty()) {
        const std::string_view dir = rest.substr(0, rest.find(':'));
        rest.remove_prefix(dir.size() == rest.size() ? dir.size() : dir.size() + 1);
        if (dir.empty()) continue; // strtok_r skips empty entries
        std::string candidate = cut(std::string(dir) + "/" + name);
        if (is_candidate(candidate)) return candidate;
    }
    return cut(name);
}

} // namespace ckpt
