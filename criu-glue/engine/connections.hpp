// SPDX-License-Identifier: GPL-2.0-or-later
// TCP connections of a tree. Within the tree they can be restored; one to anybody else would be dumped too,
// with its other end left hanging.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct Connection {
    std::string local; // "0100007F:1F90" as the kernel prints it
    std::string remote;
    std::uint64_t inode = 0;
};

// The connected sockets in the text of /proc/PID/net/tcp or tcp6.
std::vector<Connection> connections_in(std::string_view text);

// The first connection of a socket in `own` whose other end is not in `own`.
std::optional<Connection> outside_connection(const std::vector<Connection>& all,
                                             const std::set<std::uint64_t>& own);

// "10.1.2.3:8080" from the kernel's form.
std::string readable_address(const std::string& kernel_form);

} // namespace ckpt
