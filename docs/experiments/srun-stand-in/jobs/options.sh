#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun $STEP_OPTION -N1 -n1 $JOBS/count.py 40 0.08 5 partial | tee -a log
echo "status ${PIPESTATUS[0]}"
