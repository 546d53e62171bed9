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
    static constexpr int k_answer = 0; // next() of an answer to ask()

    Canary() = default; // none: it could not be made
    static Canary start();
    Canary(Canary&& other) noexcept : m_pid(std::exchange(other.m_pid, 0)), m_link(std::move(other.m_link)) {}
    Canary& operator=(Canary&& other) noexcept;
    Canary(const Canary&) = delete;
    Canary& operator=(const Canary&) = delete;
    ~Canary() { stop(); }

    explicit operator bool() const { return m_pid > 0; }
    [[nodiscard]] int descriptor() const { return m_link.get(); }
    // Its answer follows the reports of all that had been sent to it by then.
    void ask();
    // The next signal it saw, or k_answer; nothing when there is none. When it is gone, it is reaped.
    std::optional<int> next();
    void stop();

private:
    pid_t m_pid = 0;
    Fd m_link;
};

} // namespace ckpt
