// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/activity.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
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
constexpr std::size_t k_net_max = std::size_t{16} << 20U; // some hundred thousand connections
constexpr std::size_t k_threads_max = 512;
constexpr std::size_t k_fds_max = 8192;
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

Activity resting() {
    Activity activity;
    activity.at_rest = true;
    return activity;
}

// Nothing but its entry is left.
bool has_ended(int proc) {
    const std::string status = read_beneath(proc, "status", k_status_max);
    const std::string_view state = value_of(status, "\nState:");
    return status.empty() || state.starts_with('Z') || state.starts_with('X');
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

// None when there are more than a program that passes data on can have.
std::optional<std::set<std::uint64_t>> sockets_of(int proc) {
    std::set<std::uint64_t> inodes;
    const Fd fds(::openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fds) return std::nullopt;
    const int copy = ::dup(fds.get()); // closedir(3) closes it
    if (copy < 0) return std::nullopt;
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(copy), ::closedir);
    if (!dir) {
        ::close(copy);
        return std::nullopt;
    }
    std::size_t count = 0;
    while (const dirent* entry = ::readdir(dir.get())) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (++count > k_fds_max) return std::nullopt;
        if (const std::string link = link_target(fds.get(), entry->d_name); link.starts_with(k_socket))
            inodes.insert(number_of(std::string_view(link).substr(k_socket.size())));
    }
    return inodes;
}

// Columns of /proc/net/tcp: sl, local, remote, state, tx_queue:rx_queue, …, inode as the tenth (proc(5)). Of
// a listener the queue is that of its connections.
void add_sockets(const std::string& table, std::set<std::uint64_t>& busy,
                 std::set<std::uint64_t>& connected) {
    constexpr std::string_view k_established = "01";
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
        if (state == k_established) connected.insert(number_of(inode));
        if (state == k_listening || colon == std::string::npos) continue;
        const std::string_view both = queues;
        if (number_of(both.substr(0, colon), 16) != 0 || number_of(both.substr(colon + 1), 16) != 0)
            busy.insert(number_of(inode));
    }
}

// IPv6 may be off.
bool read_table(int proc, const char* path, std::set<std::uint64_t>& busy,
                std::set<std::uint64_t>& connected) {
    const Fd file(::openat(proc, path, O_RDONLY | O_CLOEXEC));
    if (!file) return errno == ENOENT;
    const auto text = read_all(file.get(), k_net_max);
    if (!text) return false;
    add_sockets(*text, busy, connected);
    return true;
}

} // namespace

const TcpQueues::Table* TcpQueues::table_of(int proc) {
    struct stat space{};
    if (::fstatat(proc, "ns/net", &space, 0) != 0) return nullptr;
    auto found = m_tables.find(space.st_ino);
    if (found == m_tables.end()) {
        Table table;
        table.known = read_table(proc, "net/tcp", table.busy, table.connected) &&
                      read_table(proc, "net/tcp6", table.busy, table.connected);
        found = m_tables.emplace(space.st_ino, std::move(table)).first;
    }
    return found->second.known ? &found->second : nullptr;
}

bool TcpQueues::have_bytes(int proc, const std::set<std::uint64_t>& own) {
    if (own.empty()) return false;
    const Table* table = table_of(proc);
    return table == nullptr ||
           std::ranges::any_of(own, [&](std::uint64_t inode) { return table->busy.contains(inode); });
}

bool TcpQueues::are_connected(int proc, const std::set<std::uint64_t>& own) {
    const Table* table = own.empty() ? nullptr : table_of(proc);
    return table != nullptr &&
           std::ranges::any_of(own, [&](std::uint64_t inode) { return table->connected.contains(inode); });
}

Result<Activity> activity_of(pid_t pid, TcpQueues& queues) {
    const auto proc = open_proc(pid);
    if (!proc && proc.error().code == Code::not_found) return resting();
    if (!proc) return tl::unexpected(proc.error());
    Activity all = resting();
    const Fd tasks(::openat(proc->get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tasks) return resting();
    CKPT_TRY(const auto tids, list_dir(tasks.get()));
    if (tids.size() > k_threads_max) return Activity();
    for (const std::string& tid : tids)
        add_thread(tasks.get(), tid, all);
    if (has_ended(proc->get())) return resting();
    const auto own = sockets_of(proc->get());
    if (!own || queues.have_bytes(proc->get(), *own)) all.at_rest = false;
    all.connected = own && queues.are_connected(proc->get(), *own);
    return all;
}

} // namespace ckpt
