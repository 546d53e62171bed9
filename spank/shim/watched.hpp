// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <utility>

#include "os/fd.hpp"

namespace ckpt {

constexpr std::uint32_t k_nothing = 0;

// A descriptor, and what an epoll(7) instance waits for on it. The wait ends with the owner: the kernel would
// keep it for as long as anybody, such as the process that has sent us the descriptor, has the file open.
class Watched {
public:
    Watched() = default;
    // `mark`: of the events, epoll_data::u64. Waits for nothing yet.
    Watched(int epoll, std::uint64_t mark, Fd fd) : m_fd(std::move(fd)), m_epoll(epoll), m_mark(mark) {}
    Watched(Watched&& other) noexcept
        : m_fd(std::move(other.m_fd)), m_epoll(other.m_epoll), m_mark(other.m_mark),
          m_events(std::exchange(other.m_events, 0)) {}
    Watched& operator=(Watched&& other) noexcept;
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() { reset(); }

    [[nodiscard]] int get() const { return m_fd.get(); }
    explicit operator bool() const { return static_cast<bool>(m_fd); }
    // EPOLLIN and the like, or nothing. False when the file cannot be waited for (a regular one).
    bool wait_for(std::uint32_t events);
    void reset();

private:
    Fd m_fd;
    int m_epoll = -1;
    std::uint64_t m_mark = 0;
    std::uint32_t m_events = 0;
};

} // namespace ckpt
