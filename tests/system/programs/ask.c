/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask N: N times a line, and a checkpoint asked for behind the third and the sixth. Traps SIGUSR1, which it must never see. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <slurm_checkpoint.h>

static void seen(int signal) {
    (void)signal;
    static const char text[] = "SIGUSR1 was seen\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
}

int main(int argc, char** argv) {
    const int count = argc > 1 ? atoi(argv[1]) : 9;
    const struct timespec pause = {0, 50 * 1000 * 1000};
    signal(SIGUSR1, seen);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i <= count; ++i) {
        printf("step %d\n", i);
        nanosleep(&pause, NULL);
        if (i != 3 && i != 6) continue;
        const int result = slurm_checkpoint();
        printf("after step %d: %s\n", i, result == 1 ? "restored" : result == 0 ? "saved" : "not saved");
        /* Whoever has been saved waits to be restored: the test requeues the job. */
        while (i == 6 && result == 0)
            nanosleep(&pause, NULL);
    }
    return 0;
}
