// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/pulse.hpp"

#include <system_error>

#include "os/stream.hpp"
#include "volume/messages.hpp"

namespace ckpt::store {

Pulse::Pulse(int socket, PulseTimes times) : m_socket(socket), m_times(times) {
    try {
        m_thread = std::thread([this] { run(); });
    } catch (const std::system_error&) { // a limit of the user's on processes: slow calls will be given up
    }
}

Pulse::~Pulse() {
    {
        const std::lock_guard lock(m_mutex);
        m_over = true;
    }
    m_wake.notify_one();
    if (m_thread.joinable()) m_thread.join();
}

void Pulse::begin_call() {
    const std::lock_guard lock(m_mutex);
    m_since = Clock::now();
}

Status Pulse::end_call(std::string_view reply) {
    const std::lock_guard lock(m_mutex);
    m_since.reset();
    return send_frame(m_socket, reply);
}

// Looks by itself: waking it for each call would cost more than the call.
void Pulse::run() {
    std::unique_lock lock(m_mutex);
    while (!m_wake.wait_for(lock, m_times.beat, [this] { return m_over; })) {
        if (!m_since) continue;
        const auto age = Clock::now() - *m_since;
        if (age >= m_times.beat && age < m_times.call_max)
            (void)send_frame(m_socket, wire::encode(VolumeBusy{})); // a peer that has gone is seen elsewhere
    }
}

} // namespace ckpt::store
