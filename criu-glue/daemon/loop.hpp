// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon's only wait: descriptors and timers, one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

namespace ckpt {

class Loop {
public:
    using Id = std::uint64_t;
    using Clock = std::chrono::steady_clock;

    // Calls `ready` whenever `fd` can be read or has hung up. The descriptor stays the caller's.
    Id watch(int fd, std::function<void()> ready);
    // Calls `ready` whenever `fd` can be written to or has hung up, again and again until it is cancelled:
    // for as long as something waits to be written. The same descriptor may be watched for reading too.
    Id watch_writable(int fd, std::function<void()> ready);
    // Calls `due` once after `delay`.
    Id after(std::chrono::milliseconds delay, std::function<void()> due);
    // Forgets a watch or a timer; an unknown id is ignored. Safe from inside callbacks.
    void cancel(Id id);

    void run();
    void stop() { m_running = false; }

private:
    struct Watch {
        int fd;
        short events; // of poll(2)
        std::function<void()> ready;
    };
    struct Timer {
        Clock::time_point at;
        std::function<void()> due;
    };
    void wait_once();
    void fire_timers();

    std::map<Id, Watch> m_watches;
    std::map<Id, Timer> m_timers;
    Id m_next = 1;
    bool m_running = false;
};

} // namespace ckpt
