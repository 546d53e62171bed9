// SPDX-License-Identifier: GPL-2.0-or-later
// counts WORD LAST MS STATUS: writes "WORD 1" to "WORD LAST", one line every MS milliseconds; then, when the test has made the file "go" in
// its directory, "WORD ends", and exits with STATUS. What gate.sh does, for programs of which there are many: it starts no others.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void rest(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    const long last = atol(argv[2]), ms = atol(argv[3]);
    for (long i = 1; i <= last; ++i) {
        printf("%s %ld\n", argv[1], i);
        rest(ms);
    }
    while (access("go", F_OK) != 0)
        rest(100);
    printf("%s ends\n", argv[1]);
    return atoi(argv[4]);
}
