#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that dies of a bad address as soon as there is a file "crash", and ends well when there is one "go"."""

import ctypes
import os
import time

print("ready", flush=True)
while not os.path.exists("go"):
    if os.path.exists("crash"):
        print("crashing", flush=True)
        ctypes.string_at(0)
    time.sleep(0.05)
print("done", flush=True)
