// SPDX-License-Identifier: GPL-2.0-or-later
// What criu has taken from the threads that it traces and not yet given back. Pure: what the calls do to the
// threads is done in calls.cpp.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "os/fd.hpp"

namespace ckpt::tracing {

// Where a thread runs.
enum class Place {
    own_code,
    injected_syscall, // at `syscall; int3`, written over its code (infect.c:compel_execute_syscall)
    parasite,         // in the code that criu has mapped into its process (infect.c:parasite_run)
};

// Words of a process's memory that criu has written through one of its threads, with what was there.
class Words {
public:
    void before_write(std::uint64_t address, std::uint64_t current, std::uint64_t wanted);
    [[nodiscard]] bool contains(std::uint64_t address) const;
    [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& originals() const { return m_originals; }

private:
    std::map<std::uint64_t, std::uint64_t> m_originals;
};

struct Thread {
    // Of a process's first thread the parasite is a daemon that puts the registers back by itself, by
    // sigreturn, when criu's connection closes; every other thread runs one command, to an int3
    // (infect.c:compel_run_in_thread).
    bool leads_process = false;
    Place place = Place::own_code;
    Fd connection;      // to the daemon, criu's end: while it is open here, the daemon waits for commands
    bool steps = false; // it stops at its system calls, unknown to criu
    bool to_syscall = false;  // likewise, and criu wants it
    bool interrupted = false; // criu waits for it to stop
    bool returns = false;     // the daemon is inside its sigreturn
    bool owes_stop = false;   // a SIGSTOP reached it away from its own code; it gets one when it is let go
    std::optional<int> stop;  // the stop in which it is, a status of wait(2)
    bool told = false;        // criu knows of that stop
    std::string registers;    // its own, while it runs elsewhere
    std::string extended;     // likewise, of the floating point unit
    std::optional<std::uint64_t> signal_mask; // its own, while another is set
    Words words;

    // criu replaces the registers, which are `current` and `current_extended` now. `injected`: they will
    // point to words that criu has written.
    void registers_taken(std::string current, std::string current_extended, bool injected);
    void registers_given_back();
    // It has stopped, or ended. `enters_sigreturn`: on its way into that system call.
    void stopped(int status, bool enters_sigreturn);
    // A daemon that is not yet connected, or whose connection is not kept here, would return as soon as criu
    // is dead. So it is made to stop at each of its system calls, which are few until then.
    [[nodiscard]] bool is_watched() const { return runs_daemon() && !connection; }
    // Its stop is none of criu's business, and it may go on, the way it went: a system call of a daemon that
    // is watched, a SIGSTOP, which cannot be blocked, or a SIGCONT, which makes every traced thread of a
    // process stop once (signal.c:prepare_signal, do_jobctl_trap) and which criu takes for a failure of its
    // parasite. When criu has interrupted it, the first stop is the one that criu waits for, whatever its
    // kind: it clears the interrupt (signal.c:ptrace_stop). A daemon that returns has to wait for what
    // becomes of criu.
    [[nodiscard]] bool may_go_on_unseen() const;
    // Its parasite has crashed, or somebody has stopped or killed it: criu, which is not its parent in the
    // kernel's eyes, gets no SIGCHLD and would wait for an answer.
    [[nodiscard]] bool has_failed() const;
    // `stepping`: to its next system call, unknown to criu. `wanted`: by criu's wish.
    void continued(bool stepping = false, bool wanted = false);
    void before_signal_mask(std::uint64_t current, std::uint64_t wanted);
    [[nodiscard]] bool must_be_brought_home() const {
        return place == Place::injected_syscall || (place == Place::parasite && !leads_process);
    }
    [[nodiscard]] bool runs_daemon() const { return place == Place::parasite && leads_process; }
};

// The signal that criu is told of instead of the one that has stopped a thread: it dumps and restores what
// SIGSTOP and SIGTSTP have stopped, and refuses whatever SIGTTIN and SIGTTOU have (infect.c:compel_wait_task,
// "unsupported stop signal"), of which a stopped process differs in nothing but what its parent is told.
// `code`: siginfo_t's, by which a stopped thread is told from one that gets such a signal.
int stop_signal_for_criu(int signal, int code);

// The signal with which a thread in this stop (of wait(2)) has to be continued, so that it is not lost. 0:
// none. `sent`: it comes from kill(2) or the like, not from the processor.
int signal_to_deliver(int stop, bool sent);

} // namespace ckpt::tracing
