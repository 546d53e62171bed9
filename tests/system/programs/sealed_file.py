#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sealed_file.py GATE: makes a file that it may write to and nobody may open again, as programs do with what is not to be changed
once it is there, and writes a line to it, and one to standard output, each 0.05 s. When the file GATE is there, it closes it."""

import os
import sys
import time

file = os.open("sealed", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
for number in range(1, 41):
    os.write(file, f"record {number}\n".encode())
    print("line", number, flush=True)
    time.sleep(0.05)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
os.close(file)
print("closed", flush=True)
while not os.path.exists("end"):
    time.sleep(0.05)
print("the end", flush=True)
