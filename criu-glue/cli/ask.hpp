// SPDX-License-Identifier: GPL-2.0-or-later
// One question to the node's daemon and its answer.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "os/socket.hpp"
#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

struct Asked {
    wire::Answer answer;
    std::vector<Fd> fds;
};

// An answer's code other than 0 as an error.
Status status_of(const wire::Answer& answer);

// No daemon on this node: Code::daemon_unreachable with what to do.
Result<Fd> connect_to_ckptd();

// A connection that ckptd has closed is no answer of its about a job (Code::not_found): an error that says
// so.
Error without_answer(const Error& error);

// Sends an encoded request and waits for what answers it. An Answer with a code other than 0 is returned as
// that error.
Result<Packet> ask_for(const std::string& request, std::chrono::milliseconds limit);
// The same, when an Answer is what answers it.
Result<Asked> ask(const std::string& request, std::chrono::milliseconds limit);

} // namespace ckpt::cli
