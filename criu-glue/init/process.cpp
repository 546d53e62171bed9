// SPDX-License-Identifier: GPL-2.0-or-later
#include "process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace ckpt {

void block_all_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

void default_sigchld() {
    ::signal(SIGCHLD, SIG_DFL);
}

void detach_stdio() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; ++fd) {
        if (null < 0)
            ::close(fd);
        else if (null != fd)
            ::dup2(null, fd);
    }
    if (null > 2) ::close(null);
}

bool parse_number(const char* text, int base, std::uint64_t& value) {
    char* end = nullptr;
    errno = 0;
    value = std::strtoull(text, &end, base);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

} // namespace ckpt
