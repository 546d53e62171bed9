# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for something that happens elsewhere: never for a fixed time, and never for ever."""

import time


def wait_for(what, condition, timeout=60, interval=0.1):
    """Poll CONDITION until it is true; its value. When TIMEOUT seconds have passed: an error that names WHAT was awaited."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)
