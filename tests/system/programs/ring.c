// SPDX-License-Identifier: GPL-2.0-or-later
// ring N socket|pipe: N processes, each with memory of its own and a socket or a pipe to the next. A number goes round, and each adds its
// own to it: what comes out says whether all are there, in their places and with what they held. "round R SUM" each time, until the test
// has made the file "go"; then they end, each with a status of its own, and the last line says how many of them did so.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { words = 1024 }; // of each process's memory

static int status_of(uint64_t number) { return (int)(number % 251); }

static int member(uint64_t number, int from, int to) {
    static uint64_t held[words];
    for (uint64_t i = 0; i < words; ++i)
        held[i] = number * words + i;
    uint64_t sum;
    while (read(from, &sum, sizeof sum) == sizeof sum) {
        for (uint64_t i = 0; i < words; ++i)
            if (held[i] != number * words + i) return 255;
        sum += number;
        if (write(to, &sum, sizeof sum) != sizeof sum) return 254;
    }
    return status_of(number);
}

// Read from the first, written to the second.
static int connection(int is_pipe, int ends[2]) { return is_pipe ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends); }

static int fails(const char* what) {
    perror(what);
    return 1;
}

int main(int argc, char** argv) {
    const uint64_t count = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    if (count == 0) return 2;
    const int with_pipes = strcmp(argv[2], "pipe") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int first[2], next[2];
    if (connection(with_pipes, first) != 0) return fails("connect");
    int from = first[0];
    for (uint64_t number = 1; number <= count; ++number) {
        if (connection(with_pipes, next) != 0) return fails("connect");
        const pid_t pid = fork();
        if (pid < 0) return fails("fork");
        if (pid == 0) {
            close(first[1]);
            close(next[0]);
            _exit(member(number, from, next[1]));
        }
        close(from);
        close(next[1]);
        from = next[0];
    }
    for (uint64_t round = 1;; ++round) {
        uint64_t sum = round;
        if (write(first[1], &sum, sizeof sum) != sizeof sum || read(from, &sum, sizeof sum) != sizeof sum) return fails("the ring");
        printf("round %" PRIu64 " %" PRIu64 "\n", round, sum);
        if (access("go", F_OK) == 0) break;
        const struct timespec pause = {0, 500000000};
        nanosleep(&pause, NULL);
    }
    close(first[1]);
    uint64_t ended = 0, sum = 0, expected = 0;
    int status;
    while (wait(&status) > 0) {
        ++ended;
        if (!WIFEXITED(status)) return fails("a member was killed");
        sum += (uint64_t)WEXITSTATUS(status);
        expected += (uint64_t)status_of(ended);
    }
    printf("%" PRIu64 " processes have ended, each with %s status\n", ended, sum == expected ? "its" : "another");
    return 9;
}
