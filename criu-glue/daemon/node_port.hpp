// SPDX-License-Identifier: GPL-2.0-or-later
// The TCP port on which the ckptd of other nodes connect. For each that connects a process is started that
// hears who it is, for as long as that one likes to stay silent. So only root of some host gets there, few
// are heard at a time, and of these few from one address: who keeps all of his silent does not keep others
// out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "link/listen.hpp"
#include "loop.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class NodePort {
public:
    static constexpr std::size_t k_heard_max = 16; // at a time
    static constexpr std::size_t k_heard_each = 4; // of these, from one address
    static constexpr std::size_t k_waiting_max = 128;
    static constexpr std::size_t k_waiting_each = 32; // more from one address are refused

    using Arrived = std::function<void(TcpCaller)>;          // to be heard now, until heard()
    using Refused = std::function<void(const std::string&)>; // why

    NodePort(Loop& loop, Arrived arrived, Refused refused)
        : m_loop(loop), m_arrived(std::move(arrived)), m_refused(std::move(refused)) {}
    NodePort(const NodePort&) = delete;
    NodePort(NodePort&&) = delete;
    NodePort& operator=(const NodePort&) = delete;
    NodePort& operator=(NodePort&&) = delete;
    ~NodePort() { close(); }

    // As listen_tcp(), in place of the port before. Whoever has been accepted there stays.
    Status open(std::uint16_t port);
    void close();
    // One from there who was to be heard has been. Not from inside Arrived.
    void heard(const std::string& address);

    [[nodiscard]] int fd() const { return m_listener.get(); }

private:
    void watch();
    void rest();
    void accept();
    void hear_next();
    [[nodiscard]] bool is_full() const { return m_waiting.size() >= k_waiting_max; }

    Loop& m_loop;
    Arrived m_arrived;
    Refused m_refused;
    Fd m_listener;
    Loop::Id m_watch = 0; // 0 = who connects stays in the kernel's backlog
    std::size_t m_heard_all = 0;
    std::map<std::string, std::size_t> m_heard; // by address
    std::list<TcpCaller> m_waiting;
};

} // namespace ckpt
