// SPDX-License-Identifier: GPL-2.0-or-later
// OpenMP: every thread keeps a state of its own, and every line depends on all of them.
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t state;
#pragma omp threadprivate(state)

int main(void)
{
    omp_set_dynamic(0);
#pragma omp parallel
    state = (uint64_t)omp_get_thread_num() + 1;
    for (int step = 1; step <= 120; step++) {
        while (step == 80 && access("go", F_OK) != 0)
            usleep(50000);
        uint64_t sum = 0;
#pragma omp parallel reduction(+ : sum)
        {
            for (int i = 0; i < 100000; i++)
                state = state * 6364136223846793005u + 1442695040888963407u;
            sum += state >> 32;
        }
        printf("step %d %llu by %d threads\n", step, (unsigned long long)sum, omp_get_max_threads());
        fflush(stdout);
        usleep(50000);
    }
    return 0;
}
