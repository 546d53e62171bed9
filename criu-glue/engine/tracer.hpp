// SPDX-License-Identifier: GPL-2.0-or-later
// The process that traces the tree for criu and outlives it (tracer/serve.hpp).
#pragma once

#include <functional>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"
#include "result/result.hpp"

namespace ckpt {

class Tracer {
public:
    // With criu's identity and rights, in its pid namespace: it may do to the tree what criu may, and no
    // more.
    static Result<Tracer> start(const JobUser& identity, CapabilitySet rights, int pid_ns);
    Tracer(Tracer&&) = default;
    Tracer& operator=(Tracer&&) = delete;
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    ~Tracer();

    // criu's end of the connection; once criu has been started nobody else may hold it.
    Fd& criu_socket() { return m_criu_socket; }
    // criu is dead or about to die: calls `held` if it left the tree behind, which then stands still with its
    // own registers and memory, and returns when the tree runs.
    void finish(const std::function<void()>& held);

private:
    Tracer(Child child, Fd criu_socket, Fd control)
        : m_child(std::move(child)), m_criu_socket(std::move(criu_socket)), m_control(std::move(control)) {}

    Child m_child;
    Fd m_criu_socket;
    Fd m_control;
};

} // namespace ckpt
