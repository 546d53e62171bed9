#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# count.py N SECONDS CODE [PARTIAL]: the step's program; its counter is the state that must survive. PARTIAL: half lines.
import sys, time
count, pause, code = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
for i in range(count):
    sys.stdout.write(f"line {i} ")
    if sys.argv[4:]:
        sys.stdout.flush()
        time.sleep(pause)
    sys.stdout.write("." * 40 + "\n")
    sys.stdout.flush()
    time.sleep(pause)
sys.exit(code)
