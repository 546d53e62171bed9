#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
show='for v in SLURM_STEP_ID SLURM_RESTART_COUNT SLURMD_NODENAME SLURM_JOB_NODELIST SLURM_STEP_NODELIST SLURM_JOB_START_TIME MINE; do printf "%s=%s " $v $(printenv $v); done; echo'
export MINE=1
echo "script $(sh -c "$show")"
srun -N1 -n1 sh -c "echo 'step before:'; $show; sleep 6; echo 'same step after:'; $show"
echo "script $(sh -c "$show")"
echo "next step: $(srun -N1 -n1 sh -c "$show")"
echo "the real srun, environment as the script has it: $(STANDIN_DIR= /usr/bin/srun -N1 -n1 sh -c "$show" 2>&1)"
echo "srun -w \$SLURM_JOB_NODELIST: $(srun -w$SLURM_JOB_NODELIST -n1 hostname 2>&1)"
