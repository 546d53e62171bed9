#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N1 -n1 --overlap $JOBS/count.py 120 0.05 3 >a & a=$!
srun -N1 -n1 --overlap $JOBS/count.py 160 0.05 4 >b 2>&1 & b=$!
wait $a; echo "a: $?"
wait $b; echo "b: $?"
