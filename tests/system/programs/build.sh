#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run by fixture.py on a node, in /shared/programs.
set -e
gcc -O2 -Wall -Wextra -Werror -o probe probe.c
gcc -O2 -Wall -Wextra -Werror -o ask ask.c
gcc -O2 -Wall -Wextra -Werror -o counts counts.c
gcc -O2 -Wall -Wextra -Werror -o ring ring.c
gcc -O2 -Wall -Wextra -Werror -o attack_marks attack_marks.c
gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o attack_marks.so attack_marks.c
gcc -O2 -Wall -Wextra -Werror -fopenmp -o threads threads.c
mpicc.mpich -O2 -Wall -Wextra -Werror -o allreduce.mpich allreduce.c
mpicc.openmpi -O2 -Wall -Wextra -Werror -o allreduce.openmpi allreduce.c
mpicc.mpich -O2 -Wall -Wextra -Werror -o mpi_saves_itself.mpich mpi_saves_itself.c
chmod 755 ./*.sh ./*.py
