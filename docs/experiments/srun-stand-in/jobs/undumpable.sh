#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N1 -n1 --overlap --mpi=pmi2 sh -c 'echo pmi2 $$ >>pids; exec sleep 99' &
srun -N1 -n1 --overlap -u sh -c 'echo unbuffered $$ >>pids; exec sleep 99' &
srun -N1 -n1 --overlap sh -c 'echo plain $$ >>pids; exec sleep 99' &
wait
