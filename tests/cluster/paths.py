# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""Where things are on the host."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent

# Root file systems, compiled objects and, while a cluster is up, the disks of its nodes: gigabytes, so not under /run.
CACHE = Path(os.environ.get("SLURM_CHECKPOINT_CACHE", "/var/cache/slurm-checkpoint"))
CLUSTERS = CACHE / "clusters"
LOCKS = CACHE / "locks"
CCACHE = CACHE / "ccache"
BUILD_ROOT = CACHE / "build"  # one directory for each preset
