// SPDX-License-Identifier: GPL-2.0-or-later
// The other end of a RemoteVolume, in a thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "os/stream.hpp"
#include "volume/remote_volume.hpp"
#include "volume/serve.hpp"

namespace ckpt::store::test {

// Runs `work` with one end of a stream; the other is for the test. Its end has to go first.
class Peer {
public:
    explicit Peer(std::function<void(int)> work) {
        auto pair = make_stream_pair();
        EXPECT_TRUE(pair);
        m_socket = std::move(pair->first);
        m_thread = std::thread([end = std::move(pair->second), work = std::move(work)] { work(end.get()); });
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    Peer(Peer&&) = delete;
    Peer& operator=(Peer&&) = delete;
    ~Peer() {
        m_socket.reset();
        m_thread.join();
    }
    Fd take() { return std::move(m_socket); }

private:
    Fd m_socket;
    std::thread m_thread;
};

inline void send_raw(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

} // namespace ckpt::store::test
