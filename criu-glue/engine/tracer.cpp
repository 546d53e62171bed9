// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/tracer.hpp"

#include <chrono>

#include "os/socket.hpp"
#include "tracer/protocol.hpp"

namespace ckpt {

namespace {

constexpr const char* k_program = CKPT_LIBEXEC_DIR "/ckpt-tracer";
constexpr std::chrono::seconds k_patience{15}; // more than it takes for any thread that can still be stopped

} // namespace

Result<Tracer> Tracer::start(const JobUser& identity, CapabilitySet rights, int pid_ns) {
    CKPT_TRY(auto connection, make_socket_pair());
    CKPT_TRY(auto control, make_socket_pair());
    SpawnSpec spec;
    spec.path = k_program;
    spec.argv = {"ckpt-tracer"};
    spec.fds = {{connection.second.get(), tracing::k_connection_fd},
                {control.second.get(), tracing::k_control_fd}};
    spec.die_with_parent = false; // if this process dies, so does criu
    spec.new_session = true;
    spec.become = identity;
    spec.ambient = rights;
    spec.enter_namespaces = {pid_ns};
    CKPT_TRY(Child child, spawn(spec));
    return Tracer(std::move(child), std::move(connection.first), std::move(control.first));
}

Tracer::~Tracer() {
    m_criu_socket.reset(); // it ends with criu, which may have been alive a moment ago
    m_control.reset();
    if (m_child) (void)m_child.wait(k_patience);
    if (m_child) (void)m_child.release(); // killed, it would let go of the tree wherever that stands
}

void Tracer::finish(const std::function<void()>& held) {
    m_criu_socket.reset();
    if (const auto stands = receive_packet(m_control.get(), k_patience)) {
        held();
        (void)send_packet(m_control.get(), stands->bytes);
    }
    if (m_child) (void)m_child.wait(k_patience);
}

} // namespace ckpt
