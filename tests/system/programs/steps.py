# SPDX-License-Identifier: GPL-2.0-or-later
"""For programs in Python: the same gate and pace as gate.sh."""

import os
import time


def steps(count, gates):
    """1, 2, ... COUNT, one every 0.05 s; GATES names the file that must exist before a step begins."""
    for step in range(1, count + 1):
        while step in gates and not os.path.exists(gates[step]):
            time.sleep(0.05)
        yield step
        time.sleep(0.05)
