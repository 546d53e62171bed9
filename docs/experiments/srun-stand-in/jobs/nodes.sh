#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N2 -n2 $JOBS/count.py 100 0.05 0 | tee -a log
echo "status ${PIPESTATUS[0]}"
