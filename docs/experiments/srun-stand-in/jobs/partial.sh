#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N1 -n1 $JOBS/count.py 40 0.05 5 partial | tee -a log
echo "status ${PIPESTATUS[0]}"
