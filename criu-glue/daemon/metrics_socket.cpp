// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <format>
#include <utility>

#include "os/socket.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_readers_max = 16;
constexpr std::size_t k_readers_of_user_max = 2;
constexpr std::chrono::seconds k_limit{5};

Result<Fd> listen_for_readers(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(Code::os, path + " is too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail_errno(Code::os, "make a socket");
    (void)::unlink(path.c_str()); // of a daemon before
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(Code::os, "bind " + path);
    if (::chmod(path.c_str(), 0666) != 0 || ::listen(socket.get(), 16) != 0)
        return fail_errno(Code::os, "listen at " + path);
    return socket;
}

} // namespace

Result<std::unique_ptr<MetricsSocket>> MetricsSocket::open(Loop& loop, const std::string& path,
                                                           std::function<std::string()> text) {
    CKPT_TRY(Fd listener, listen_for_readers(path));
    return std::unique_ptr<MetricsSocket>(new MetricsSocket(loop, std::move(listener), std::move(text)));
}

MetricsSocket::MetricsSocket(Loop& loop, Fd listener, std::function<std::string()> text)
    : m_loop(loop), m_listener(std::move(listener)), m_text(std::move(text)) {
    m_listening = m_loop.watch(m_listener.get(), [this] { accept_reader(); });
}

MetricsSocket::~MetricsSocket() {
    m_loop.cancel(m_listening);
    while (!m_readers.empty())
        forget(m_readers.begin()->first);
}

// Who comes when there are many, or when no descriptor is left, comes again: a scraper does. No user can keep
// others, and nobody root, from being answered.
bool MetricsSocket::may_read(uid_t uid) const {
    if (uid == 0) return m_readers.size() < 2 * k_readers_max;
    const auto is_theirs = [uid](const auto& reader) { return reader.second.uid == uid; };
    return m_readers.size() < k_readers_max &&
           static_cast<std::size_t>(std::ranges::count_if(m_readers, is_theirs)) < k_readers_of_user_max;
}

void MetricsSocket::accept_reader() {
    Fd socket(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const auto peer = socket ? peer_of(socket.get()) : Result<Peer>(fail_errno(Code::os, "accept"));
    if (!peer || !may_read(peer->uid)) return;
    const std::uint64_t number = m_next++;
    Reader& reader = m_readers[number];
    reader.socket = std::move(socket);
    reader.uid = peer->uid;
    reader.readable = m_loop.watch(reader.socket.get(), [this, number] { answer(number); });
    reader.limit = m_loop.after(k_limit, [this, number] { forget(number); });
}

// What is asked is one packet of a few hundred bytes, and its words do not matter. What is left unread when a
// socket is closed would cost the other side the answer (af_unix.c:unix_release_sock).
void MetricsSocket::answer(std::uint64_t number) {
    const Reader& reader = m_readers.at(number);
    std::array<char, 4096> question{};
    if (::recv(reader.socket.get(), question.data(), question.size(), 0) > 0) {
        const std::string text = m_text();
        const std::string all =
            std::format("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n"
                        "Connection: close\r\n\r\n{}",
                        text.size(), text);
        // Smaller than what the kernel takes for a socket; who has filled that up gets less.
        (void)::send(reader.socket.get(), all.data(), all.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    forget(number);
}

void MetricsSocket::forget(std::uint64_t number) {
    const auto found = m_readers.find(number);
    if (found == m_readers.end()) return;
    m_loop.cancel(found->second.readable);
    m_loop.cancel(found->second.limit);
    m_readers.erase(found);
}

} // namespace ckpt
