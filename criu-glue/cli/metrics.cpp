// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <string>

#include "os/fd.hpp"
#include "os/files.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

constexpr std::size_t k_text_max = 1U << 20U;

std::string socket_path() {
    const std::string daemon = wire::k_socket_path;
    return daemon.substr(0, daemon.rfind('/')) + "/metrics.sock";
}

Result<Fd> connect_to_metrics() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket_path();
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return fail_errno(Code::os, "make a socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(Code::daemon_unreachable, "no ckptd answers at " + path, "systemctl status ckptd");
    return socket;
}

} // namespace

Status print_metrics() {
    CKPT_TRY(const Fd socket, connect_to_metrics());
    CKPT_CHECK(write_all(socket.get(), "GET /metrics HTTP/1.0\r\n\r\n"));
    CKPT_TRY(const std::string answer, read_all(socket.get(), k_text_max));
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string::npos)
        return fail(Code::daemon_unreachable, "ckptd has given no metrics", "try again in a moment");
    std::cout << answer.substr(end + 4);
    return {};
}

} // namespace ckpt::cli
