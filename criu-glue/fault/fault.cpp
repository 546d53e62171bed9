// SPDX-License-Identifier: GPL-2.0-or-later
// Without the C++ library, which ckpt-init does not have, and with no other system calls than those that a
// confined worker may use (seccomp/filter.hpp).
#include "fault/fault.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace ckpt::fault {

namespace {

constexpr std::size_t k_word_max = 16;
constexpr std::size_t k_text_max = 128;
constexpr timespec k_slow{3, 0};
constexpr timespec k_look{0, 100'000'000};

struct Named {
    const char* name;
    int errnum;
};
constexpr Named k_errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"ECONNRESET", ECONNRESET}};

void rest(timespec left) {
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

// Appended at once, so that the lines of several processes do not mix.
void note(const char* place, const char* word) {
    const char* job = std::getenv("SLURM_JOB_ID");
    char line[k_text_max];
    const int size = std::snprintf(line, sizeof line, "%s %s %s\n", place, word, job != nullptr ? job : "-");
    const int notes = ::open(k_struck, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (notes < 0) return;
    if (size > 0 && static_cast<std::size_t>(size) < sizeof line)
        (void)!::write(notes, line, static_cast<std::size_t>(size));
    ::close(notes);
}

// Puts what is to happen into `word`; false where nothing is.
bool take(const char* place, char (&word)[k_word_max]) {
    char path[k_text_max];
    const int length = std::snprintf(path, sizeof path, "%s%s", k_dir, place);
    if (length < 0 || static_cast<std::size_t>(length) >= sizeof path) return false;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return false;
    const ssize_t size = ::read(file, word, sizeof word - 1);
    ::close(file);
    if (size <= 0 || ::unlinkat(AT_FDCWD, path, 0) != 0) return false;
    word[size] = '\0';
    note(place, word);
    return true;
}

bool released() {
    const int file = ::open(k_released, O_PATH | O_CLOEXEC);
    if (file >= 0) ::close(file);
    return file >= 0;
}

int strike(const char* word) {
    if (std::strcmp(word, "crash") == 0) (void)std::raise(SIGKILL);
    if (std::strcmp(word, "slow") == 0) rest(k_slow);
    if (std::strcmp(word, "hang") == 0)
        while (!released())
            rest(k_look);
    for (const Named& error : k_errors)
        if (std::strcmp(word, error.name) == 0) return error.errnum;
    return 0;
}

} // namespace

int at(const char* place) {
    const int errnum = errno;
    char word[k_word_max];
    const int struck = take(place, word) ? strike(word) : 0;
    errno = errnum;
    return struck;
}

bool fails(const char* place) {
    const int struck = at(place);
    if (struck != 0) errno = struck;
    return struck != 0;
}

} // namespace ckpt::fault
