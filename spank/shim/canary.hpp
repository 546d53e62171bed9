// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <utility>

#include "os/fd.hpp"

namespace ckpt {

// A child in our process group that reports every signal sent to it: those were sent to the group
// (scope.hpp). It dies with us, whichever way we end.
class Canary {
public:
    Canary() = default; // none: it could not be made
    static Canary start();
    Canary(Canary&& other) noexcept : m_pid(std::exchange(other.m_pid, 0)), m_pipe(std::move(other.m_pipe)) {}
    Canary& operator=(Canary&& other) noexcept;
    Canary(const Canary&) = delete;
    Canary& operator=(const Canary&) = delete;
    ~Canary() { stop(); }

    explicit operator bool() const { return m_pid > 0; }
    [[nodiscard]] int descriptor() const { return m_pipe.get(); }
    // The next signal it saw; nothing when there is none. When it is gone, it is reaped and no longer there.
    std::optional<int> next();
    void stop();

private:
    pid_t m_pid = 0;
    Fd m_pipe;
};

} // namespace ckpt
