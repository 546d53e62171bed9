// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "watched.hpp"

namespace ckpt {

// Whether the shim stands between a descriptor of the stand-in and srun. A file or a device takes what srun
// writes at once, and nothing of it is ever on its way.
bool is_relayed_output(int fd);
// srun reads ahead, from a file as well; only nothing at all need not be passed on.
bool is_relayed_input(int fd);
bool is_same_file(int a, int b);

// One of the stand-in's streams, which is shared with processes of the script: never waited for, and its
// description never made non-blocking (fcntl(2), O_NONBLOCK).
class StepStream {
public:
    enum class Way : std::uint8_t { read, write };
    StepStream() = default;
    StepStream(int epoll, std::uint64_t mark, Fd fd, Way way);

    explicit operator bool() const { return static_cast<bool>(m_fd); }
    // As read(2) and write(2) with O_NONBLOCK. A reader that has gone is EPIPE, without a signal.
    ssize_t read(std::span<char> into);
    ssize_t write(std::string_view bytes);
    // What others have not moved meanwhile: back by `bytes`, if it is a file; else false.
    bool step_back(std::uint64_t bytes);
    bool wait_for(std::uint32_t events) { return m_fd.wait_for(events); }
    // For EPOLLERR: a pipe says by itself that its last reader has gone.
    [[nodiscard]] bool is_pipe() const { return m_kind == Kind::pipe; }
    [[nodiscard]] bool has_no_reader() const;
    void close() { m_fd.reset(); }

private:
    enum class Kind : std::uint8_t { pipe, socket, file, other };
    [[nodiscard]] bool is_ready(short events) const;

    Watched m_fd;
    Kind m_kind = Kind::other;
    bool m_never_blocks = false; // a description of our own
};

} // namespace ckpt
