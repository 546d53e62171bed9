#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The first part of a pipeline: it fills its pipe in uneven pieces, most of which stay in buffers for a while."""

import random
import sys

from steps import steps

random.seed(7)
for step in steps(120, {80: "go"}):
    for _ in range(random.randrange(200)):
        print(step, "".join(random.choices("abcdefghij", k=random.randrange(60))))
    print(f"produced {step}", file=sys.stderr, flush=True)
