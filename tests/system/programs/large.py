#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""large.py GIB: so much memory that cannot be compressed. When the test has made the file "go" it is compared with what it was."""

import os
import sys
import time

import numpy

BLOCK = 64 << 20  # bytes


def block(number):
    return numpy.random.SFC64(number).random_raw(BLOCK // 8)


held = [block(number) for number in range(int(sys.argv[1]) * (1 << 30) // BLOCK)]
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.1)
changed = sum(not numpy.array_equal(one, block(number)) for number, one in enumerate(held))
print(f"{changed} of {len(held)} blocks have changed", flush=True)
sys.exit(6)
