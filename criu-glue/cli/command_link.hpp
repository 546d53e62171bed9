// SPDX-License-Identifier: GPL-2.0-or-later
// Root's word to the ckptd of another node, about jobs whose scripts run there.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "link/link.hpp"
#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

// A connection that both sides have proved to be root's of a node of this cluster (criu-glue/handshake).
// Needs root, and munged on this host.
class CommandLink {
public:
    // `node`: Slurm's name of it, which the other side has to prove. Code::daemon_unreachable and others.
    static Result<CommandLink> open(const std::string& node, const std::string& address, std::uint16_t port);
    // One request at a time. An Answer with a code other than 0 is returned as that error.
    Result<wire::Answer> ask(const wire::AskFor& request, std::chrono::milliseconds limit);

private:
    explicit CommandLink(Link link) : m_link(std::move(link)) {}
    Link m_link;
};

} // namespace ckpt::cli
