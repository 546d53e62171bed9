// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/activity.hpp"

#include <fcntl.h>

#include <charconv>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_status_max = std::size_t{64} << 10U;
constexpr std::size_t k_net_max = std::size_t{64} << 20U;
constexpr std::string_view k_socket = "socket:[";

std::string read_beneath(int dir, const std::string& path, std::size_t limit) {
    const Fd file(::openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return {};
    return read_all(file.get(), limit).value_or("");
}

// Of "Name:\tvalue" lines.
std::string_view value_of(std::string_view status, std::string_view name) {
    const std::size_t at = status.find(name);
    if (at == std::string_view::npos) return {};
    std::string_view rest = status.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return rest.substr(0, rest.find('\n'));
}

std::uint64_t number_of(std::string_view text, int base = 10) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number, base);
    return number;
}

// A thread that has ended meanwhile has passed its work on or has none.
void add_thread(int tasks, const std::string& tid, Activity& all) {
    const std::string status = read_beneath(tasks, tid + "/status", k_status_max);
    if (status.empty()) return;
    const std::string_view state = value_of(status, "\nState:");
    if (!state.starts_with('S') && !state.starts_with('Z') && !state.starts_with('X')) all.at_rest = false;
    all.switches += number_of(value_of(status, "\nvoluntary_ctxt_switches:")) +
                    number_of(value_of(status, "\nnonvoluntary_ctxt_switches:"));
}

std::set<std::uint64_t> sockets_of(int proc) {
    std::set<std::uint64_t> inodes;
    const Fd fds(::openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names =
        fds ? list_dir(fds.get()) : Result<std::vector<std::string>>(std::vector<std::string>());
    if (!names) return inodes;
    for (const std::string& name : *names)
        if (const std::string link = link_target(fds.get(), name); link.starts_with(k_socket))
            inodes.insert(number_of(std::string_view(link).substr(k_socket.size())));
    return inodes;
}

// Columns of /proc/net/tcp: sl, local, remote, state, tx_queue:rx_queue, …, inode as the tenth (proc(5)). Of
// a listener the queue is that of its connections.
bool has_bytes_on_their_way(const std::string& table, const std::set<std::uint64_t>& own) {
    constexpr std::string_view k_listening = "0A";
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        std::string state;
        std::string queues;
        std::string inode;
        words >> word >> word >> word >> state >> queues >> word >> word >> word >> word >> inode;
        const std::size_t colon = queues.find(':');
        if (state == k_listening || colon == std::string::npos || !own.contains(number_of(inode))) continue;
        const std::string_view both = queues;
        if (number_of(both.substr(0, colon), 16) != 0 || number_of(both.substr(colon + 1), 16) != 0)
            return true;
    }
    return false;
}

} // namespace

Result<Activity> activity_of(pid_t pid) {
    const auto proc = open_proc(pid);
    if (!proc && proc.error().code == Code::not_found) return Activity{true, 0};
    if (!proc) return tl::unexpected(proc.error());
    Activity all{true, 0};
    const Fd tasks(::openat(proc->get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tasks) return Activity{true, 0};
    CKPT_TRY(const auto tids, list_dir(tasks.get()));
    for (const std::string& tid : tids)
        add_thread(tasks.get(), tid, all);
    const std::set<std::uint64_t> own = sockets_of(proc->get());
    for (const char* table : {"net/tcp", "net/tcp6"})
        if (has_bytes_on_their_way(read_beneath(proc->get(), table, k_net_max), own)) all.at_rest = false;
    return all;
}

} // namespace ckpt
