#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""signals.py NAME [CHILD...]: writes down the signals it gets, in logs/NAME, until there is a file go. CHILD does so too, as its
child, and so on."""

import os
import signal
import sys
import time

WORDS = {signal.SIGRTMIN + 3: "RTMIN+3", **{signal.Signals[f"SIG{word}"]: word for word in (
    "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "TSTP", "CONT", "WINCH", "IO")}}

name, *descendants = sys.argv[1:]
log = os.open(f"logs/{name}.new", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
for number in WORDS:
    signal.signal(number, lambda number, _: os.write(log, f"{WORDS[number]}\n".encode()))
if descendants:
    child = os.spawnv(os.P_NOWAIT, sys.argv[0], [sys.argv[0], *descendants])
os.rename(f"logs/{name}.new", f"logs/{name}")  # it is ready
while not os.path.exists("go"):
    time.sleep(0.05)
if descendants:
    os.waitpid(child, 0)
