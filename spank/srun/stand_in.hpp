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
    // `dir`: of the shim's socket. `command` outlives the result. `is_script`: nothing else runs in the tree
    // (wire/allocation.hpp); slurmd sends a user's signals to the tasks itself, and those that it sends to us
    // would come to them twice. Code::not_found when there is no shim.
    static Result<StandIn> start(const std::string& dir, const wire::StepCommand& command, bool is_script);
    StandIn(StandIn&&) = default;
    StandIn& operator=(StandIn&&) = default;
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;
    ~StandIn();

    // Passes signals on until the real one has ended. Code::not_found when the shim has gone.
    Result<wire::StepEnded> wait();

private:
    StandIn(const wire::StepCommand& command, bool is_script, Fd socket, Fd signals, std::string path,
            std::string shim)
        : m_command(&command), m_is_script(is_script), m_socket(std::move(socket)),
          m_signals(std::move(signals)), m_path(std::move(path)), m_shim(std::move(shim)) {}
    Status send_patiently(const std::string& bytes, std::span<const int> fds);
    void pass_signals_on();
    Result<std::optional<wire::StepEnded>> read();
    bool is_alone();
    Status ask();
    Status ask_again();

    const wire::StepCommand* m_command;
    bool m_is_script;
    Fd m_socket;
    Fd m_signals;
    std::string m_path; // of our own socket
    std::string m_shim; // of the shim's
    int m_asks = 0;     // left until it is given up; 0 = nothing has to be asked for
};

} // namespace ckpt
