// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/procfs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "os/files.hpp"
#include "os/process.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_proc_file_max = 1 << 20;

Result<std::string> read_proc(int dir, const char* name) {
    const Fd fd(::openat(dir, name, O_RDONLY | O_CLOEXEC));
    if (!fd)
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, std::string("open /proc/…/") + name);
    return read_all(fd.get(), k_proc_file_max);
}

std::string proc_path(pid_t pid) {
    return "/proc/" + std::to_string(pid);
}

// The text after "KEY:" in /proc/PID/status.
std::string status_field(const std::string& status, const std::string& key) {
    const std::size_t at = status.find("\n" + key + ":");
    if (at == std::string::npos) return {};
    const std::size_t from = at + key.size() + 2;
    return status.substr(from, status.find('\n', from) - from);
}

// Fields of /proc/PID/stat behind the command name, which may itself hold spaces and parentheses.
Status parse_stat(const std::string& stat, ProcessInfo& info) {
    const std::size_t open = stat.find('(');
    const std::size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return fail(Code::os, "cannot read /proc/…/stat");
    info.name = stat.substr(open + 1, close - open - 1);
    std::istringstream rest(stat.substr(close + 1));
    long long skipped = 0;
    rest >> info.state >> info.ppid >> info.pgid >> info.sid;
    for (int field = 7; field <= 21; ++field)
        rest >> skipped;
    rest >> info.start_time; // field 22 of proc_pid_stat(5)
    if (!rest) return fail(Code::os, "cannot read /proc/…/stat");
    return {};
}

} // namespace

Result<Fd> open_proc(pid_t pid) {
    Fd dir(::open(proc_path(pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + proc_path(pid));
    return dir;
}

Result<ProcessInfo> process_info(pid_t pid) {
    CKPT_TRY(const Fd dir, open_proc(pid));
    ProcessInfo info;
    info.pid = pid;
    CKPT_TRY(const std::string stat, read_proc(dir.get(), "stat"));
    CKPT_CHECK(parse_stat(stat, info));
    CKPT_TRY(const std::string status, read_proc(dir.get(), "status"));
    std::istringstream uids(status_field(status, "Uid"));
    uids >> info.uid >> info.euid;
    if (!uids) return fail(Code::os, "cannot read the uids of pid " + std::to_string(pid));
    std::istringstream ns_pids(status_field(status, "NSpid"));
    for (pid_t inner = 0; ns_pids >> inner;)
        info.ns_pids.push_back(inner);
    return info;
}

Result<SignalSets> signal_sets(pid_t pid) {
    CKPT_TRY(const Fd dir, open_proc(pid));
    CKPT_TRY(const std::string status, read_proc(dir.get(), "status"));
    SignalSets sets;
    for (auto& [key, set] :
         {std::pair{"SigBlk", &sets.blocked}, {"SigIgn", &sets.ignored}, {"SigCgt", &sets.caught}}) {
        std::istringstream in(status_field(status, key));
        in >> std::hex >> *set;
        if (!in) return fail(Code::os, "cannot read /proc/…/status");
    }
    return sets;
}

Result<KnownProcess> know_process(pid_t pid) {
    CKPT_TRY(const ProcessInfo info, process_info(pid));
    return KnownProcess{pid, info.start_time};
}

Result<Fd> open_pidfd(const KnownProcess& process) {
    CKPT_TRY(Fd pidfd, open_pidfd(process.pid));
    CKPT_TRY(const KnownProcess now, know_process(process.pid));
    if (now.start_time != process.start_time || !pidfd_alive(pidfd.get()))
        return fail(Code::not_found, "pid " + std::to_string(process.pid) + " has ended");
    return pidfd;
}

Result<Executable> executable_of(pid_t pid) {
    struct stat st{};
    if (::stat((proc_path(pid) + "/exe").c_str(), &st) != 0)
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "stat /proc/…/exe");
    return Executable{st.st_dev, st.st_ino};
}

Result<FdInfo> fd_info(int dir, const std::string& name) {
    CKPT_TRY(const std::string text, read_proc(dir, name.c_str()));
    std::istringstream in(text);
    FdInfo info;
    std::string key;
    in >> key >> info.position >> key >> std::oct >> info.flags; // "pos:\t…\nflags:\t0…"
    if (!in) return fail(Code::os, "cannot read a descriptor's state");
    return info;
}

Result<std::uint64_t> namespace_inode(pid_t pid, const std::string& name) {
    struct stat st{};
    const std::string path = proc_path(pid) + "/ns/" + name;
    if (::stat(path.c_str(), &st) != 0)
        return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "look at " + path);
    return static_cast<std::uint64_t>(st.st_ino);
}

Result<Fd> open_namespace(pid_t pid, const std::string& name) {
    const std::string path = proc_path(pid) + "/ns/" + name;
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + path);
    return fd;
}

Result<std::uint64_t> anonymous_bytes(pid_t pid) {
    CKPT_TRY(const Fd dir, open_proc(pid));
    CKPT_TRY(const std::string status, read_proc(dir.get(), "status"));
    std::istringstream in(status_field(status, "RssAnon"));
    std::uint64_t kib = 0;
    in >> kib;
    if (!in) return fail(Code::os, "cannot read /proc/…/status"); // a zombie has none
    return kib * 1024;
}

Result<std::uint64_t> resident_bytes(pid_t pid) {
    CKPT_TRY(const Fd dir, open_proc(pid));
    CKPT_TRY(const std::string text, read_proc(dir.get(), "statm"));
    std::istringstream in(text);
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    in >> size >> resident;
    if (!in) return fail(Code::os, "cannot read /proc/…/statm");
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace ckpt
