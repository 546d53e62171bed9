#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""saves_itself.py NAME LAST HOW: a line for each step up to LAST; the last one comes when the file "go" is there. On SIGUSR1 it notes in
NAME.restart how far it is, and (HOW) "ends", "marks" that it has, in $SLURM_CHECKPOINT_MARKER, and goes on, is "silent" and goes on, or
"crashes" of SIGSEGV the first time, without a note.
Started again it goes on behind what is noted."""

import os
import signal
import sys
import time

name, last, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
restart = f"{name}.restart"
asked = []
signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))


def save(step):
    with open(restart + ".new", "w") as file:
        file.write(str(step))
    os.replace(restart + ".new", restart)


step = int(open(restart).read()) if os.path.exists(restart) else 0
while step < last:
    if step + 1 < last or os.path.exists("go"):
        step += 1
        print(name, "step", step, flush=True)
    if asked:
        asked.clear()
        if how == "crashes" and not os.path.exists("crashed"):
            open("crashed", "w").close()
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        if how != "silent":
            save(step)
        if how == "ends":
            print(name, "saved at", step, flush=True)
            sys.exit(0)
        if how == "marks":
            open(os.environ["SLURM_CHECKPOINT_MARKER"], "w").close()
    time.sleep(0.05)
