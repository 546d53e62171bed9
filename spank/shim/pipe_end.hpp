// SPDX-License-Identifier: GPL-2.0-or-later
// One end of a pipe, used without ever blocking.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

constexpr std::size_t k_pipe_chunk = std::size_t{64} * 1024; // what a pipe holds by default (pipe(7))

struct Transfer {
    std::size_t bytes = 0;
    bool ended = false; // nothing will ever come, or go, any more
};

class PipeEnd {
public:
    PipeEnd() = default;
    // An end that nobody else has a descriptor of: it is made non-blocking.
    static PipeEnd of_our_own(Fd fd);
    // An end whose description others may share, so that O_NONBLOCK would be theirs too: opened anew
    // (`access`: O_RDONLY or O_WRONLY), or, where that is refused, used in pieces that do not block.
    static Result<PipeEnd> of(int shared, int access);

    explicit operator bool() const { return static_cast<bool>(m_fd); }
    [[nodiscard]] int get() const { return m_fd.get(); }
    void reset() { m_fd.reset(); }

    // Appends at most k_pipe_chunk bytes.
    Transfer read(std::string& to);
    Transfer write(std::string_view bytes);
    // Bytes that are in the pipe, whichever end this is.
    [[nodiscard]] std::size_t unread() const;
    // The other side has gone: of a write end.
    [[nodiscard]] bool is_broken() const;

private:
    PipeEnd(Fd fd, bool own) : m_fd(std::move(fd)), m_own(own) {}
    [[nodiscard]] bool is_ready(short events) const;

    Fd m_fd;
    bool m_own = false;
};

// A pipe(2), not a FIFO with a name.
bool is_pipe(int fd);

// A descriptor that names the pipe (fstat(2), pidfd_getfd(2)) and is neither a reader nor a writer of it:
// O_PATH. Put in the place of `number`.
Status leave_mark(const Fd& number);

// What is in the pipe that `mark` names, which stays there.
Result<std::string> look_into_pipe(const Fd& mark);

} // namespace ckpt
