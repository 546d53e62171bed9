#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds files open under names they have lost: one has another name beside it, one in another directory, one none at all. Says
"ready", and with the file "go" what it still has."""

import os
import time


def lost(name, other=None):
    file = open(name, "w+b")
    file.write(b"before" + b"." * (2 << 20))
    file.flush()
    if other:
        os.link(name, other)
    os.unlink(name)
    return file


os.mkdir("elsewhere")
files = {"near": lost("near.part", "near"), "far": lost("far.part", "elsewhere/far"), "none": lost("none.part")}
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
for name, file in files.items():
    file.write(b"after")
    file.flush()
    file.seek(0)
    text = file.read()
    print(name, len(text), text[:6].decode(), text[-5:].decode())
with open("near", "rb") as file:
    print("by its name", file.read()[-5:].decode())
