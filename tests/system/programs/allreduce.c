// SPDX-License-Identifier: GPL-2.0-or-later
// allreduce ROUNDS FILE [GO]: every rank adds to what all have, round after round; rank 0 writes each hundredth sum to FILE, which
// shows whether a message was lost or came twice. The last quarter begins when the file GO is there. It sleeps while it waits: there
// are more ranks than processors in a test.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ITEMS = 5000, PACE_US = 500, MODULUS = 1000003 };

int main(int argc, char** argv) {
    static long mine[ITEMS], sum[ITEMS];
    int rank = 0, ranks = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc != 3 && argc != 4) MPI_Abort(MPI_COMM_WORLD, 2);
    const int rounds = atoi(argv[1]);
    FILE* out = rank == 0 ? fopen(argv[2], "w") : NULL;
    if (rank == 0 && out == NULL) MPI_Abort(MPI_COMM_WORLD, 2);
    for (int i = 0; i < ITEMS; ++i)
        mine[i] = rank * ITEMS + i;
    for (int round = 1; round <= rounds; ++round) {
        while (rank == 0 && argc == 4 && round > rounds * 3 / 4 && access(argv[3], F_OK) != 0)
            usleep(PACE_US);
        MPI_Request request;
        MPI_Iallreduce(mine, sum, ITEMS, MPI_LONG, MPI_SUM, MPI_COMM_WORLD, &request);
        for (int done = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done;)
            usleep(PACE_US);
        for (int i = 0; i < ITEMS; ++i)
            mine[i] = (sum[i] + (long)rank * round + i) % MODULUS;
        if (out != NULL && round % 100 == 0) fprintf(out, "%d ranks, round %d: %ld\n", ranks, round, sum[round % ITEMS]);
        if (out != NULL) fflush(out);
    }
    if (out != NULL && fclose(out) != 0) MPI_Abort(MPI_COMM_WORLD, 2);
    return MPI_Finalize();
}
