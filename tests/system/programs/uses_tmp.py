#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""uses_tmp.py DIRECTORY: keeps a file and a mapping open there. Says "ready", and with the file "go" what they hold."""

import mmap
import os
import sys
import time

directory = sys.argv[1]
state = open(f"{directory}/state", "w+")
state.write("state before")
state.flush()
file = os.open(f"{directory}/mapped", os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(file, 1 << 20)
mapped = mmap.mmap(file, 1 << 20)
os.close(file)
mapped[5000:5006] = b"before"
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
state.write(" and after")
state.seek(0)
with open(f"{directory}/state") as again:
    print(state.read(), "|", again.read())
with open(f"{directory}/mapped", "rb") as again:
    print(mapped[5000:5006].decode(), again.read()[5000:5006].decode())
