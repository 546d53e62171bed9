// SPDX-License-Identifier: GPL-2.0-or-later
// srun inside a tree that may be dumped: has the shim run the real one outside, and stands for it meanwhile.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

class StandIn {
public:
    // `dir`: of the shim's socket. `command` outlives the result. Code::not_found when there is no shim.
    static Result<StandIn> start(const std::string& dir, const wire::StepCommand& command);
    StandIn(StandIn&&) = default;
    StandIn& operator=(StandIn&&) = default;
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;
    ~StandIn();

    // Passes signals on until the real one has ended. Code::not_found when the shim has gone.
    Result<wire::StepEnded> wait();

private:
    StandIn(const wire::StepCommand& command, Fd socket, Fd signals, std::string path, std::string shim)
        : m_command(&command), m_socket(std::move(socket)), m_signals(std::move(signals)),
          m_path(std::move(path)), m_shim(std::move(shim)) {}
    Status send_patiently(const std::string& bytes, std::span<const int> fds);
    void pass_signals_on();
    Result<std::optional<wire::StepEnded>> read();
    bool is_alone();
    Status ask();

    const wire::StepCommand* m_command;
    Fd m_socket;
    Fd m_signals;
    std::string m_path; // of our own socket
    std::string m_shim; // of the shim's
};

} // namespace ckpt
