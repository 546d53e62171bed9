#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""numpy with state in memory, in a random generator and in a mapped file; every line depends on all steps before it."""

import sys

import numpy

from steps import steps

gates = {80 * (index + 1): name for index, name in enumerate(sys.argv[1:])}
rng = numpy.random.default_rng(seed=20240607)
matrix = rng.standard_normal((300, 300))
mapped = numpy.memmap("state.bin", dtype="float64", mode="w+", shape=(300, 300))
mapped[:] = numpy.eye(300)
for step in steps(80 * len(gates) + 40, gates):
    mapped[:] = matrix @ mapped + rng.standard_normal((300, 300))
    mapped /= numpy.abs(mapped).max()
    print(f"step {step} {float(mapped.sum()):.17g}", flush=True)
mapped.flush()
