// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "os/fd.hpp"
#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr const char* k_root = "/sys/fs/cgroup";
constexpr const char* k_step = "/step_"; // of Slurm's steps, followed by "batch", "0" …
constexpr std::size_t k_file_max = 1 << 16;
// "no limit" of version 1 is the largest multiple of a page that fits (page_counter.h:PAGE_COUNTER_MAX).
constexpr std::uint64_t k_limits_end = std::uint64_t{1} << 62;

std::string read_file(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return {};
    return read_all(fd.get(), k_file_max).value_or(std::string());
}

// Every line of /proc/PID/cgroup names a hierarchy the kernel knows, mounted here or not.
bool is_unified() {
    struct statfs fs{};
    return ::statfs(k_root, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

bool has(const CgroupLine& line, const std::string& controller) {
    return ("," + line.controllers + ",").find("," + controller + ",") != std::string::npos;
}

// Where a hierarchy is mounted: under the name of its controllers, as everybody does. "" = it is not.
std::string mounted_dir(const CgroupLine& line) {
    std::string name = line.controllers;
    if (name.empty()) name = "unified";
    if (name.starts_with("name=")) name.erase(0, 5);
    const std::string dir = std::string(k_root) + "/" + name + (line.path == "/" ? "" : line.path);
    return ::access((dir + "/cgroup.procs").c_str(), F_OK) == 0 ? dir : "";
}

Result<std::vector<CgroupLine>> lines_of(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/cgroup";
    const std::string text = read_file(path);
    if (text.empty()) return fail(Code::not_found, "no cgroup for pid " + std::to_string(pid));
    return cgroup_lines(text);
}

Result<std::string> dir_of(pid_t pid, const std::string& controller) {
    CKPT_TRY(const auto lines, lines_of(pid));
    const bool unified = is_unified();
    for (const CgroupLine& line : lines) {
        if (unified && line.controllers.empty()) return k_root + line.path;
        if (!unified && has(line, controller))
            if (std::string dir = mounted_dir(line); !dir.empty()) return dir;
    }
    return fail(Code::not_found, "no " + controller + " cgroup for pid " + std::to_string(pid));
}

// The number behind "KEY " at the start of a line.
std::uint64_t number_after(const std::string& text, const std::string& key) {
    std::istringstream in(text);
    std::string name;
    for (std::uint64_t value = 0; in >> name >> value;)
        if (name == key) return value;
    return 0;
}

std::string parent_of(const std::string& dir) {
    return dir.substr(0, dir.rfind('/') == std::string::npos ? 0 : dir.rfind('/'));
}

// The file may be missing in a task's cgroup and be there in its step's, where controllers end higher up.
std::string oom_counters(std::string dir) {
    for (;;) {
        for (const char* name : {"/memory.events", "/memory.oom_control"})
            if (std::string text = read_file(dir + name); !text.empty()) return text;
        dir = parent_of(dir);
        if (dir.find(k_step) == std::string::npos) return {};
    }
}

std::uint64_t own_limit(const std::string& dir) {
    for (const char* name : {"/memory.max", "/memory.limit_in_bytes"}) {
        const std::string text = read_file(dir + name);
        std::uint64_t value = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        if (parsed.ec == std::errc() && value < k_limits_end) return value; // else "max"
    }
    return 0;
}

// "oom" counts where the limit is, and not when the whole node is short of memory (mm/memcontrol.c:
// mem_cgroup_oom). Version 1 has only the number of times that memory was refused or had to be reclaimed.
bool hit_limit(const std::string& dir) {
    if (number_after(read_file(dir + "/memory.events"), "oom") > 0) return true;
    const std::string refused = read_file(dir + "/memory.failcnt");
    return !refused.empty() && refused != "0\n";
}

} // namespace

std::string job_cgroup(const std::string& dir) {
    const std::size_t step = dir.find(k_step);
    return step == std::string::npos ? std::string() : dir.substr(0, step);
}

std::vector<CgroupLine> cgroup_lines(const std::string& text) {
    std::vector<CgroupLine> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) { // "4:memory:/path", "0::/path"; a path may hold colons
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        all.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
    }
    return all;
}

Result<std::string> cgroup_dir(pid_t pid) {
    return dir_of(pid, "freezer");
}

Result<std::vector<std::string>> cgroup_dirs(pid_t pid) {
    CKPT_TRY(std::string tracked, cgroup_dir(pid)); // without it Slurm would not find what is started there
    std::vector<std::string> dirs{std::move(tracked)};
    if (is_unified()) return dirs;
    CKPT_TRY(const auto lines, lines_of(pid));
    for (const CgroupLine& line : lines) {
        std::string dir = mounted_dir(line);
        if (!dir.empty() && dir != dirs.front()) dirs.push_back(std::move(dir));
    }
    return dirs;
}

bool is_frozen(pid_t pid) {
    const auto dir = cgroup_dir(pid);
    return dir && (read_file(*dir + "/cgroup.events").find("frozen 1") != std::string::npos ||
                   read_file(*dir + "/freezer.state").find("FROZEN") != std::string::npos);
}

Result<std::string> memory_cgroup_dir(pid_t pid) {
    return dir_of(pid, "memory");
}

MemoryCgroup memory_cgroup(const std::string& dir) {
    MemoryCgroup memory;
    memory.oom_kills = number_after(oom_counters(dir), "oom_kill");
    for (std::string above = dir; !above.empty(); above = parent_of(above)) {
        const std::uint64_t limit = own_limit(above);
        if (limit == 0 || (memory.limit != 0 && limit >= memory.limit)) continue;
        memory.limit = limit;
        memory.limit_was_hit = hit_limit(above);
    }
    return memory;
}

} // namespace ckpt
