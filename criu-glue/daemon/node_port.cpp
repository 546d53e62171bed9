// SPDX-License-Identifier: GPL-2.0-or-later
#include "node_port.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace ckpt {
namespace {

constexpr std::chrono::milliseconds k_rest{100};
constexpr std::uint16_t k_first_of_users = 1024; // ports below are root's (ckpt-handshake connects from one)

// The connection stays in the backlog, where it would wake us again at once.
bool is_shortage(int errnum) {
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

} // namespace

Status NodePort::open(std::uint16_t port) {
    m_loop.cancel(std::exchange(m_watch, 0));
    m_listener.reset();
    CKPT_TRY(m_listener, listen_tcp(port));
    watch();
    return {};
}

void NodePort::close() {
    m_loop.cancel(std::exchange(m_watch, 0));
    m_listener.reset();
    m_waiting.clear();
}

void NodePort::watch() {
    if (!m_listener || m_watch != 0 || is_full()) return;
    m_watch = m_loop.watch(m_listener.get(), [this] { accept(); });
}

void NodePort::rest() {
    m_loop.cancel(std::exchange(m_watch, 0));
    m_loop.after(k_rest, [this] { watch(); });
}

void NodePort::accept() {
    auto caller = accept_tcp(m_listener.get());
    if (!caller) return is_shortage(caller.error().errnum) ? rest() : void();
    if (caller->port >= k_first_of_users)
        return m_refused("it has come from port " + std::to_string(caller->port) + " of " + caller->address +
                         ", which any user there can have");
    const auto before = std::ranges::count(m_waiting, caller->address, &TcpCaller::address);
    if (static_cast<std::size_t>(before) >= k_waiting_each)
        return m_refused("too many wait that have come from " + caller->address);
    m_waiting.push_back(std::move(*caller));
    hear_next();
    if (is_full()) m_loop.cancel(std::exchange(m_watch, 0));
}

void NodePort::hear_next() {
    for (auto at = m_waiting.begin(); at != m_waiting.end() && m_heard_all < k_heard_max;) {
        std::size_t& from_there = m_heard[at->address];
        if (from_there >= k_heard_each) {
            ++at;
            continue;
        }
        ++from_there;
        ++m_heard_all;
        TcpCaller next = std::move(*at);
        at = m_waiting.erase(at);
        m_arrived(std::move(next));
    }
}

void NodePort::heard(const std::string& address) {
    const auto found = m_heard.find(address);
    if (found == m_heard.end()) return;
    if (--found->second == 0) m_heard.erase(found);
    --m_heard_all;
    hear_next();
    watch();
}

} // namespace ckpt
