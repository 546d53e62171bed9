#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold_pids.py PID...: processes with these pids on this node, until standard input ends. Run as root; "holding" says that it does."""

import os
import signal
import sys
from pathlib import Path

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def hold(pid):
    """A child with this very pid; None when somebody else has it."""
    for _ in range(1000):  # others fork as well
        if Path(f"/proc/{pid}").exists():
            return None
        LAST_PID.write_text(str(pid - 1))
        child = os.fork()
        if child == 0:
            signal.pause()
        if child == pid:
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    sys.exit(f"could not get pid {pid}")


children = [child for child in map(hold, map(int, sys.argv[1:])) if child]
print("holding", flush=True)
sys.stdin.read()
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
