# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs whose program saves itself: what their scripts begin with, and what the program writes."""

APP = "--checkpoint-method=app:USR1"
LAST = 100
LIFE = """#!/bin/bash
echo "life restarted=${SLURM_CHECKPOINT_RESTARTED:-no} generation=$SLURM_CHECKPOINT_GENERATION"
echo "$SLURM_CHECKPOINT_DIR" >>directories
"""


def steps(first, last):
    return [f"work step {i}" for i in range(first, last + 1)]
