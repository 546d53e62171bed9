#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""grow.py MIB: a program that needs more memory all of a sudden, when the test has made the file "grow"; then it waits for "go"."""

import os
import sys
import time


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.05)


print("ready", flush=True)
wait_for("grow")
held = [bytearray(1 << 20) for _ in range(int(sys.argv[1]))]
print("grown", flush=True)
wait_for("go")
print(f"held {len(held)} MiB", flush=True)
