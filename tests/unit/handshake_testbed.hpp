// SPDX-License-Identifier: GPL-2.0-or-later
// A cluster's MUNGE in memory, for what the real one cannot be made to say, and both sides of a handshake.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "handshake/handshake.hpp"
#include "handshake/messages.hpp"
#include "os/stream.hpp"
#include "wire/codec.hpp"

namespace ckpt::test {

inline const wire::LinkHello k_hello{4711, 2, "00112233445566778899aabbccddeeff", "n1"};
inline constexpr std::size_t k_start_size = 12; // magic and version

inline Moment soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(30);
}

// What munged of all nodes know; each node has seen what it has decoded.
class FakeRealm {
public:
    using Change = std::function<void(Credential&)>;

    std::string make(std::string_view payload) {
        const std::scoped_lock lock(m_mutex);
        Credential credential{EMUNGE_SUCCESS,      "", 0, 0, MUNGE_CIPHER_AES256, MUNGE_MAC_SHA256,
                              std::string(payload)};
        if (change) change(credential);
        std::string text = "MUNGE:" + std::to_string(m_made.size()) + ":";
        m_made.emplace(text, std::move(credential));
        return text;
    }
    Credential read(const std::string& text) {
        const std::scoped_lock lock(m_mutex);
        const auto found = m_made.find(text);
        if (found != m_made.end()) return found->second;
        Credential invalid;
        invalid.error = EMUNGE_CRED_INVALID;
        return invalid;
    }
    Change change; // of each credential that is made

private:
    std::mutex m_mutex;
    std::map<std::string, Credential> m_made;
};

class FakeMunge final : public Munge {
public:
    explicit FakeMunge(FakeRealm& realm) : m_realm(realm) {}
    Result<std::string> encode(std::string_view payload) override { return m_realm.make(payload); }
    Credential decode(const std::string& text) override {
        Credential credential = m_realm.read(text);
        if (credential.error == EMUNGE_SUCCESS && !m_seen.insert(text).second)
            credential.error = EMUNGE_CRED_REPLAYED;
        return credential;
    }

private:
    FakeRealm& m_realm;
    std::set<std::string> m_seen;
};

// A side at work in a thread of its own; its end of the stream is closed when it is done.
using Side = std::future<Result<LinkAgreed>>;

inline Side client(Munge& munge, Fd socket, Moment end = soon()) {
    return std::async(std::launch::async, [&munge, socket = std::move(socket), end]() mutable {
        auto result = greet(munge, {socket.get(), end}, k_hello);
        socket.reset();
        return result;
    });
}
inline Side server(Munge& munge, Fd socket, Moment end = soon()) {
    return std::async(std::launch::async, [&munge, socket = std::move(socket), end]() mutable {
        auto result = answer_greeting(munge, {socket.get(), end}, "n2");
        socket.reset();
        return result;
    });
}

inline std::string text_of(const Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), Secret::k_size};
}

inline void expect_linked(const LinkAgreed& client, const LinkAgreed& server) {
    EXPECT_EQ(text_of(client.send_key), text_of(server.receive_key));
    EXPECT_EQ(text_of(client.receive_key), text_of(server.send_key));
    EXPECT_NE(text_of(client.send_key), text_of(client.receive_key));
    EXPECT_EQ(client.hello.node, "n2");
    EXPECT_TRUE(server.hello == k_hello);
}

inline void expect_error(Side& side, Code code, const std::string& what) {
    const auto result = side.get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << one_line(result.error());
    EXPECT_THAT(result.error().what, ::testing::HasSubstr(what));
}

} // namespace ckpt::test
