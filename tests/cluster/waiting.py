# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""Waiting for what no system call waits for."""

import time


def wait_until(condition, timeout, interval=0.02):
    """Poll CONDITION; its first true value, or None when TIMEOUT seconds have passed."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value or None
        time.sleep(interval)
