// SPDX-License-Identifier: GPL-2.0-or-later
// One-shot workers: started with one request, watched until their result, killed at their deadline. The loop
// never waits for one: a killed worker that hangs in the kernel is reaped whenever it ends.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "loop.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// How a worker runs.
struct WorkerRuns {
    // On the CPUs of that process (0 = ours): what criu restores inherits them, CRIU saves no affinity.
    pid_t affinity_like = 0;
    std::optional<Identity> as; // else as root
    bool in_background = false; // after all else on the node, until hurry() is called
    // Whether a message of it is not its result yet: then that was all that is to be done about it.
    // NOLINTNEXTLINE(readability-redundant-member-init): GCC warns of aggregates without it
    std::function<bool(Packet&)> interim{}; // may take its descriptors
};

class Workers {
public:
    using Id = std::uint64_t;
    using Done = std::function<void(Result<Packet>)>;          // a worker's result, or why there is none
    using TextDone = std::function<void(Result<std::string>)>; // a program's standard output

    explicit Workers(Loop& loop) : m_loop(loop) {}

    // Starts a worker of ours (wire/worker.hpp), sends it the request and calls `done` exactly once.
    Id start(const std::string& program, const std::string& request, std::span<const int> fds,
             std::chrono::milliseconds limit, Done done, const WorkerRuns& how = {});
    [[nodiscard]] bool runs(Id id) const { return m_running.contains(id); }
    // Somebody waits for it now.
    void hurry(Id id);
    // A word to one that waits for it; nothing happens when it has ended.
    void tell(Id id, const std::string& message);
    // Starts a program and calls `done` with what it printed; a non-zero exit status is an error that carries
    // its standard error's first line.
    Id run_text(const std::vector<std::string>& argv, std::chrono::milliseconds limit, TextDone done);
    // Kills a worker; its `done` is not called any more.
    void abandon(Id id);

private:
    struct Running {
        Child child;
        Fd channel;
        std::string text;
        Loop::Id watch = 0;
        Loop::Id timer = 0;
        Done done;
        TextDone text_done;
    };
    Id add(Running running, std::chrono::milliseconds limit, std::function<void(Id)> readable);
    void finish(Id id, Result<Packet> result);
    void read_text(Id id);
    void finish_text(Id id);
    Id bury(Child child); // reaps it whenever it ends

    Loop& m_loop;
    std::map<Id, Running> m_running;
    std::map<Id, std::shared_ptr<Child>> m_buried;
    Id m_next = 1;
};

// What a worker of ours has answered: its message of type M, or the error in its place.
template <typename M>
Result<M> result_of(const Result<Packet>& packet) {
    if (!packet) return tl::unexpected(packet.error());
    CKPT_TRY(M message, wire::decode<M>(packet->bytes));
    CKPT_CHECK(wire::status_of(message.outcome));
    return message;
}

} // namespace ckpt
