// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/connections.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

namespace ckpt {

namespace {

// include/net/tcp_states.h: ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT
bool is_connected(const std::string& state) {
    constexpr std::array k_connected = {"01", "02", "03", "04", "05", "08"};
    return std::ranges::find(k_connected, state) != k_connected.end();
}

// An IPv6 socket shows an IPv4 peer as ::ffff:a.b.c.d; the peer itself shows the IPv4 form.
std::string plain_form(const std::string& address) {
    constexpr std::string_view k_mapped = "0000000000000000FFFF0000";
    return address.starts_with(k_mapped) ? address.substr(k_mapped.size()) : address;
}

} // namespace

std::vector<Connection> connections_in(std::string_view text) {
    std::vector<Connection> found;
    std::istringstream lines{std::string(text)};
    std::string line;
    std::getline(lines, line); // the heading
    while (std::getline(lines, line)) {
        // sl local remote state tx:rx tr:when retransmits uid timeout inode (proc_net_tcp.rst)
        std::istringstream fields(line);
        std::string skip;
        std::string state;
        Connection one;
        fields >> skip >> one.local >> one.remote >> state;
        for (int i = 0; i < 5; ++i)
            fields >> skip;
        fields >> one.inode;
        one.local = plain_form(one.local);
        one.remote = plain_form(one.remote);
        if (fields && is_connected(state)) found.push_back(std::move(one));
    }
    return found;
}

std::optional<Connection> outside_connection(const std::vector<Connection>& all,
                                             const std::set<std::uint64_t>& own) {
    for (const Connection& one : all) {
        if (!own.contains(one.inode)) continue;
        const bool internal = std::ranges::any_of(all, [&](const Connection& other) {
            // no inode: not accepted yet, or closed on that side; CRIU knows what to make of these
            const bool ours = other.inode == 0 || own.contains(other.inode);
            return ours && other.local == one.remote && other.remote == one.local;
        });
        if (!internal) return one;
    }
    return std::nullopt;
}

std::string readable_address(const std::string& kernel_form) {
    const std::size_t colon = kernel_form.find(':');
    if (colon != 8 && colon != 32) return kernel_form;
    // Groups of four bytes, each printed as a number of the host's byte order.
    std::array<std::uint32_t, 4> words{};
    for (std::size_t i = 0; i < colon / 8; ++i)
        words.at(i) =
            static_cast<std::uint32_t>(std::strtoul(kernel_form.substr(i * 8, 8).c_str(), nullptr, 16));
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool v6 = colon == 32;
    if (::inet_ntop(v6 ? AF_INET6 : AF_INET, words.data(), text.data(), text.size()) == nullptr)
        return kernel_form;
    const auto port = std::strtoul(kernel_form.c_str() + colon + 1, nullptr, 16);
    return (v6 ? "[" + std::string(text.data()) + "]" : std::string(text.data())) + ":" +
           std::to_string(port);
}

} // namespace ckpt
