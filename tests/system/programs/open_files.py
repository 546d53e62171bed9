#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""open_files.py N: N files open at once, half of them read and half written, a line of each in each step. It passes the gate "go" before
its step 11, and ends with its step 20."""

import os
import sys

from steps import steps

COUNT, STEPS, SIZE = int(sys.argv[1]), 20, 16


def line(number, step):
    return f"{number} {step}".ljust(SIZE - 1).encode() + b"\n"


def whole(number):
    return b"".join(line(number, step) for step in range(1, STEPS + 1))


os.mkdir("files")
reading, writing = {}, {}
for number in range(COUNT):
    name = f"files/{number}"
    if number % 2:
        with open(name, "wb") as file:
            file.write(whole(number))
        reading[number] = os.open(name, os.O_RDONLY)
    else:
        writing[number] = os.open(name, os.O_WRONLY | os.O_CREAT)
print(f"{len(os.listdir('/proc/self/fd')) - 4} files are open", flush=True)  # the directory itself is open meanwhile
wrong = 0
for step in steps(STEPS, {11: "go"}):
    for number, file in reading.items():
        wrong += os.read(file, SIZE) != line(number, step)
    for number, file in writing.items():
        os.write(file, line(number, step))
    print(f"step {step}", flush=True)
for number in writing:
    with open(f"files/{number}", "rb") as file:
        wrong += file.read() != whole(number)
print(f"{wrong} of what was read or written is wrong", flush=True)
sys.exit(5)
