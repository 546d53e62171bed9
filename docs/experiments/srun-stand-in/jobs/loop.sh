#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
x=0
for i in 1 2 3; do
	x=$((x+i))
	srun -N1 -n1 $JOBS/count.py 60 0.04 $((10+i)) | tee -a log | sed "s/^/loop $i: /"
	echo "status ${PIPESTATUS[0]} x=$x"
done
echo "end x=$x"
