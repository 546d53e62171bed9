// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "result/result.hpp"

namespace ckpt::store {

struct PulseTimes {
    std::chrono::milliseconds beat{10'000};
    // One call for longer is a file system that hangs.
    std::chrono::milliseconds call_max{10 * 60'000};
};

// Tells the other end of a stream that a call is being carried out, however slow the file system is, as long
// as this process runs: a process that was stopped says nothing. A thread, since a call that waits for a file
// system takes no signals. Where none can be started nothing is told.
class Pulse {
public:
    Pulse(int socket, PulseTimes times);
    Pulse(const Pulse&) = delete;
    Pulse& operator=(const Pulse&) = delete;
    Pulse(Pulse&&) = delete;
    Pulse& operator=(Pulse&&) = delete;
    ~Pulse();

    // Until end_call(), or the end of this object.
    void begin_call();
    // Sends the reply, and is still until the next call.
    Status end_call(std::string_view reply);

private:
    using Clock = std::chrono::steady_clock;
    void run();

    int m_socket;
    PulseTimes m_times;
    std::mutex m_mutex; // of what follows, and of the socket's sending side
    std::condition_variable m_wake;
    std::optional<Clock::time_point> m_since; // when the call began
    bool m_over = false;
    std::thread m_thread;
};

} // namespace ckpt::store
