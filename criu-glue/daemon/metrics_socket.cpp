// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <format>
#include <utility>

#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_readers_max = 8;
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

// Who comes when there are many, or when no descriptor is left, comes again: a scraper does.
void MetricsSocket::accept_reader() {
    Fd socket(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket || m_readers.size() >= k_readers_max) return;
    const std::uint64_t number = m_next++;
    Reader& reader = m_readers[number];
    reader.socket = std::move(socket);
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

Status write_metrics_file(const std::string& path, const std::string& text) {
    const std::size_t slash = path.rfind('/');
    const std::string action = "write the metrics to " + path;
    const Fd dir(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, action);
    const std::string name = path.substr(slash + 1);
    const std::string temp = "." + name + ".new"; // the collector takes *.prom only
    (void)::unlinkat(dir.get(), temp.c_str(), 0);
    const Fd file(
        ::openat(dir.get(), temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file) return fail_errno(Code::os, action);
    if (::fchmod(file.get(), 0644) != 0) return fail_errno(Code::os, action);
    Status written = write_all(file.get(), text);
    if (written && ::renameat(dir.get(), temp.c_str(), dir.get(), name.c_str()) != 0)
        written = fail_errno(Code::os, action);
    if (!written) (void)::unlinkat(dir.get(), temp.c_str(), 0);
    return written;
}

} // namespace ckpt
