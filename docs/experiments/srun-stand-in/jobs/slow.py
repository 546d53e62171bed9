#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# slow.py FILE: standard input to FILE, not faster than 20,000 lines a second, and with a pause after 3,000 lines
import sys, time
with open(sys.argv[1], "a", buffering=1) as out:
    for number, line in enumerate(sys.stdin):
        out.write(line)
        time.sleep(8 if number == 3000 else 0.05 if number % 1000 == 999 else 0)
