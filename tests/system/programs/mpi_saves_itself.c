// SPDX-License-Identifier: GPL-2.0-or-later
// mpi_saves_itself ROUNDS FILE: a sum over all ranks, round after round, the last one when the file "go" is there. When any rank
// has got SIGUSR1, rank 0 notes the round and the sum in FILE, and all end. Started again they go on from there; at the end rank 0
// prints the sum.
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void ask(int signal) {
    (void)signal;
    asked = 1;
}

int main(int argc, char** argv) {
    int rank = 0, ranks = 0, round = 0;
    long sum = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc != 3) MPI_Abort(MPI_COMM_WORLD, 2);
    const int rounds = atoi(argv[1]);
    FILE* saved = fopen(argv[2], "r");
    if (saved != NULL && fscanf(saved, "%d %ld", &round, &sum) != 2) MPI_Abort(MPI_COMM_WORLD, 2);
    if (saved != NULL) fclose(saved);
    signal(SIGUSR1, ask);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) printf("%d ranks go on from round %d\n", ranks, round);
    fflush(stdout);
    while (round < rounds) {
        long mine[2] = {asked, ((long)rank + 1) * (round + 1)}, all[2];
        if (round + 1 == rounds && access("go", F_OK) != 0) mine[1] = 0;
        const int waits = round + 1 == rounds && mine[1] == 0;
        int anybody_waits = 0;
        MPI_Allreduce(&waits, &anybody_waits, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
        MPI_Allreduce(mine, all, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
        if (all[0] > 0) {
            if (rank == 0) {
                FILE* out = fopen(argv[2], "w");
                if (out == NULL || fprintf(out, "%d %ld\n", round, sum) < 0 || fclose(out) != 0) MPI_Abort(MPI_COMM_WORLD, 2);
            }
            MPI_Finalize();
            return 0;
        }
        if (!anybody_waits) {
            sum = (sum * 31 + all[1]) % 1000003;
            ++round;
        }
        usleep(20000);
    }
    if (rank == 0) printf("%d ranks, %d rounds: %ld\n", ranks, rounds, sum);
    MPI_Finalize();
    return 0;
}
