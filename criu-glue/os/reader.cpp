// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/reader.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "os/files.hpp"

namespace ckpt {

Status write_to_reader(int fd, std::string_view data, std::chrono::milliseconds patience) {
    while (!data.empty()) {
        pollfd room{fd, POLLOUT, 0};
        const int ready = ::poll(&room, 1, static_cast<int>(patience.count()));
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return fail_errno(Code::os, "wait for a reader");
        if (ready == 0) return fail(Code::deadline, "whoever reads it takes nothing any more");
        // There is room for so much at least (kernel fs/pipe.c:pipe_poll).
        const std::string_view next = data.substr(0, std::min<std::size_t>(data.size(), PIPE_BUF));
        CKPT_CHECK(write_all(fd, next));
        data.remove_prefix(next.size());
    }
    return {};
}

} // namespace ckpt
