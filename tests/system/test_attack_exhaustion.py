# SPDX-License-Identifier: GPL-2.0-or-later
"""bob uses up what he can get on a node: processes, places for dumps, listings. alice's job is saved all the same."""

from lib import *
from lib.attack import AttackTest

MANY = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
for ((i = 0; i < 600; i++)); do sleep 1000 & done
echo ready
gate go
kill $(jobs -p)
"""
# Memory that no compression makes smaller.
BIG = """#!/usr/bin/python3
#SBATCH --checkpoint-interval=1s
import os, time
held = [os.urandom(1 << 20) for _ in range(24)]
print("ready", flush=True)
while not os.path.exists("go"):
    held[int(time.monotonic() * 10) % 24] = os.urandom(1 << 20)
    time.sleep(0.05)
"""


class Exhaustion(AttackTest):
    def over(self, *jobs):
        for job in jobs:
            job.path("go").touch()
        for job in jobs:
            cluster.attempt("ctl", "scancel", job.name, user="bob")
            end(job)

    def test_processes(self):
        """A job of 600, of which a checkpoint is taken in the meantime."""
        job = submit(MANY, user="bob", name="many")
        job.wait_output("ready")
        asking = cluster.background("n1", "sckpt", "create", job.id, user="bob")
        self.addCleanup(asking.communicate)
        self.save(1)
        asking.wait()
        self.over(job)
        self.assert_unharmed(job, saved=1)

    def test_dumps(self):
        """Ten jobs that are dumped and stored without a pause: a checkpoint that somebody asks for does not wait for them."""
        jobs = [submit(BIG, user="bob", name=f"big-{number}") for number in range(10)]
        for job in jobs:
            job.wait_output("ready")
        wait_for("they are saved", lambda: sum("generation 1 saved" in job.output() for job in jobs) >= 3, timeout=120)
        self.save(1)
        self.over(*jobs)
        self.assert_unharmed(*jobs, saved=1)

    def test_listings(self):
        """Again and again, by six at a time, of which two are served: alice gets hers."""
        loop = "while :; do sckpt list >/dev/null 2>&1; done"
        loops = [cluster.background("n1", "sh", "-c", loop, user="bob") for _ in range(6)]
        for one in loops:
            self.addCleanup(one.communicate)
            self.addCleanup(one.terminate)
        wait_for("bob has as many as he may", lambda: "[CKPT-308]" in cluster.attempt("n1", "sckpt", "list", user="bob").stderr)
        self.save(1)
        self.assertEqual([one["generation"] for one in generations(self.job)], [1])
        for one in loops:
            one.terminate()
            one.communicate()
        self.assert_unharmed(saved=1)


if __name__ == "__main__":
    main()
