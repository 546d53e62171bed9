// SPDX-License-Identifier: GPL-2.0-or-later
// The real sruns of the job's script: they run here, outside the tree, for stand-ins within it
// (spank/srun/stand_in.hpp).
#pragma once

#include <list>
#include <map>
#include <string>

#include "os/datagram.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"
#include "step_child.hpp"

namespace ckpt {

class Steps {
public:
    Steps() = default; // none: stand-ins run the real one themselves
    // `dir`: of this job on this node, the user's alone.
    static Result<Steps> open(const std::string& dir);

    // Readable when there is something to do; -1 = never.
    [[nodiscard]] int descriptor() const { return m_events.get(); }
    void serve();

private:
    struct Step {
        std::string stand_in; // where its answers go
        Fd stand_in_pidfd;
        StepChild child;
    };
    using Running = std::list<Step>;

    Steps(Fd events, Fd socket, std::string dir)
        : m_events(std::move(events)), m_socket(std::move(socket)), m_dir(std::move(dir)) {}
    void watch(int fd);
    void read_messages();
    void obey(Datagram message);
    Result<StepChild> start(const Datagram& message);
    void look_at_stand_ins();
    void look_at_children();
    template <typename M>
    void answer(const std::string& to, const M& message);

    Fd m_events; // epoll(7)
    Fd m_socket;
    std::string m_dir;
    Running m_running;
};

} // namespace ckpt
