// SPDX-License-Identifier: GPL-2.0-or-later
// The only fork and exec of the root side. No shell, no PATH, no inherited descriptors or environment.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// For execve(2): into `strings`, which outlive them; the last is nullptr.
std::vector<char*> exec_pointers(const std::vector<std::string>& strings);

struct SpawnSpec {
    std::string path;                     // absolute
    std::vector<std::string> argv;        // argv[0] included
    std::vector<std::string> environment; // the whole of it
    // {descriptor here, number there}; every other descriptor is closed in the child. 0, 1 and 2 are
    // /dev/null unless listed.
    std::vector<std::pair<int, int>> fds;
    bool die_with_parent = true;          // PR_SET_PDEATHSIG SIGKILL
    bool new_session = false;             // setsid()
    std::optional<Identity> become;       // irreversible drop before exec
    std::optional<CapabilitySet> ambient; // kept across the drop as ambient capabilities
    pid_t affinity_like = 0;              // run on the CPUs on which that process may; 0 = as the caller
    bool low_priority = false; // after everything else on the node: nice 10, disk when nobody else needs it
    std::vector<int> enter_namespaces; // setns(2) on each, in this order, before the drop; a pid
                                       // namespace takes effect because the program is forked once more
};

// A child that is killed and reaped when its owner goes.
class Child {
public:
    Child() = default;
    Child(pid_t pid, Fd pidfd) : m_pid(pid), m_pidfd(std::move(pidfd)) {}
    Child(Child&& other) noexcept : m_pid(std::exchange(other.m_pid, 0)), m_pidfd(std::move(other.m_pidfd)) {}
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return m_pid; }
    [[nodiscard]] int pidfd() const { return m_pidfd.get(); }
    explicit operator bool() const { return m_pid > 0; }
    void kill(int signal) const;
    // Gives it up: it runs on, and whoever adopts it reaps it.
    pid_t release() {
        m_pidfd.reset();
        return std::exchange(m_pid, 0);
    }
    // Waits up to `limit` for the end; the raw wait status, or Code::deadline (the child runs on).
    Result<int> wait(std::chrono::milliseconds limit);

private:
    pid_t m_pid = 0;
    Fd m_pidfd;
};

// Starts a program. An exec that fails is reported here (Code::os), not as an exit status.
Result<Child> spawn(const SpawnSpec& spec);

// Undoes low_priority, down to that of this process, for a child that was started with new_session, and all
// that it has started since in that session's first process group.
void raise_priority(const Child& child);

Result<Fd> open_pidfd(pid_t pid);
// Sends `signal` through a pidfd: no pid can be reused under it. ESRCH gives Code::not_found.
Status signal_pidfd(int pidfd, int signal);
bool pidfd_alive(int pidfd);

// A duplicate of descriptor `number` of another process (pidfd_getfd(2)).
Result<Fd> take_fd(int pidfd, int number);

// The pid behind a pidfd, in the namespace of this process's /proc. Code::not_found when it has ended.
Result<pid_t> pid_of(int pidfd);

} // namespace ckpt
