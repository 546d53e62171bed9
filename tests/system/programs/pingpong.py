#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pingpong.py FILE ROUNDS named|nameless: two tasks of a step count in turns in FILE's memory, which both have mapped; each writes the
rounds it has seen. "nameless": the file is removed as soon as both have it."""
import mmap
import os
import struct
import sys
import time

path, rounds, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rank = int(os.environ["SLURM_PROCID"])
if rank == 0:
    with open(path + ".new", "wb") as file:
        file.truncate(4096)
    os.rename(path + ".new", path)
while not os.path.exists(path):
    time.sleep(0.01)
with open(path, "r+b") as file:
    memory = mmap.mmap(file.fileno(), 4096)


def wait_for(place, value):
    while struct.unpack_from("q", memory, 8 * place)[0] < value:
        time.sleep(0.005)


def say(place, value):
    struct.pack_into("q", memory, 8 * place, value)


say(2 + rank, 1)
wait_for(2 + 1 - rank, 1)
if rank == 0 and kind == "nameless":
    os.unlink(path)
for i in range(1, rounds + 1):
    if rank == 0:
        say(0, i)
        wait_for(1, i)
    else:
        wait_for(0, i)
        say(1, i)
    if i % 10 == 0:
        print(f"task {rank} round {i}", flush=True)
if rank == 0 and kind == "named":
    os.unlink(path)
