#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
for status in 0 7 137; do srun -N1 -n1 sh -c "[ $status = 137 ] && kill -9 \$\$; exit $status"; echo "exit $status: $?"; done
srun -N1 -n1 no-such-program; echo "no such program: $?"
srun --no-such-option true; echo "no such option: $?"
srun -N1 -n1 sleep 30 & sleep 2; kill -INT $!; sleep 0.3; kill -INT $!; wait $!; echo "^C twice: $?"
srun -N1 -n1 sleep 30 & sleep 2; kill -TERM $!; wait $!; echo "TERM: $?"
srun -N1 -n1 perl -e '$SIG{USR1} = sub { print "step got USR1\n"; exit 6 }; sleep 30' & sleep 2; kill -USR1 $!; wait $!; echo "USR1: $?"
srun -N1 -n1 seq 100000 | head -1; echo "seq | head: ${PIPESTATUS[*]}"
(ulimit -n 333; umask 027; cd /tmp; X=y srun -N1 -n1 sh -c 'ulimit -n; umask; pwd; echo $X')
srun -N1 -n1 sleep 5 & sleep 2; kill -9 $!; wait $!; echo "KILL: $?"; sleep 1; squeue -h -s -j $SLURM_JOB_ID -o %i | grep -vc batch
