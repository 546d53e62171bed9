// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

namespace ckpt::cli {

// Says on a terminal, and nowhere else, that something is being waited for, and for how long. What was said is
// taken back when it is over.
class Waiting {
public:
    explicit Waiting(std::string what); // "saving job 7001"
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    Waiting(Waiting&&) = delete;
    Waiting& operator=(Waiting&&) = delete;
    void look(); // now and then

private:
    std::string m_what;
    std::chrono::steady_clock::time_point m_since = std::chrono::steady_clock::now();
    bool m_terminal;
    bool m_has_said = false;
};

} // namespace ckpt::cli
