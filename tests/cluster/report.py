# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""What the user reads: one line per step, and errors that say what, why and what to do."""

import sys
import time

_start = time.monotonic()


class ClusterError(Exception):
    def __init__(self, what, why="", remedy=""):
        super().__init__(what)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self):
        return self.what + (f": {self.why}" if self.why else "") + (f"\n  {self.remedy}" if self.remedy else "")


def step(text):
    print(f"[{time.monotonic() - _start:5.1f} s] {text}", file=sys.stderr, flush=True)
