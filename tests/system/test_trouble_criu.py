# SPDX-License-Identifier: GPL-2.0-or-later
"""CRIU fails, hangs or is killed half-way: the job runs on and ends as if we were not there, and says so once."""

from lib import *
from lib.product import LOCAL

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 60
gate go
exit 7
"""
BIG = """#!/usr/bin/python3
import os, random, sys, time
block = random.Random(1).randbytes(400 << 20)
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
print(hash(block) == hash(random.Random(1).randbytes(400 << 20)))
sys.exit(7)
"""
EXPECTED = [f"line {i}" for i in range(1, 61)]


def use_criu(node, program, **engine):
    """PROGRAM as CRIU of the node NODE, at a place that only root can write to, as an admin would have it."""
    path = f"/usr/local/sbin/{program}"
    cluster.run(node, "install", "-m", "755", f"/shared/programs/{program}.sh", path)
    set_policy(node, engine={"criu": path, **engine})


class CriuTrouble(SystemTest):
    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2")

    def test_fails_and_hangs(self):
        use_criu("n1", "criu-fails")
        use_criu("n2", "criu-hangs", dump_timeout="2s")
        failing, hanging = (submit(SCRIPT, "--checkpoint-interval=1s", node=node) for node in ("n1", "n2"))
        for job in (failing, hanging):
            job.wait_output("line 60")
            wait_for(f"{job} complains", lambda: complaints(job.output()))
            job.path("go").touch()
        for job in (failing, hanging):
            self.assert_ended(end(job), "FAILED", "7:0")
            self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assert_one_complaint(failing, "CRIU|criu")
        self.assert_one_complaint(hanging, "2 s|time")
        assert_clean(failing, hanging)

    def test_requeue_without_any_checkpoint_starts_again(self):
        """As a job without us does, since there is nothing to go on from."""
        use_criu("n1", "criu-fails")
        job = submit(SCRIPT, "--checkpoint")
        job.wait_output("line 10")
        requeue(job, to="n2")
        job.wait_output("starting from the beginning")
        self.assertIn("no checkpoint was saved before the requeue (CRIU", job.output())  # what was said before is gone with the output
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)  # and its output begins anew
        assert_clean(job)

    def test_killed_half_way(self):
        clear_policy("n1")
        job = submit(BIG, "--checkpoint-interval=1s")
        job.wait_running("n1")
        killer = cluster.background("n1", "/shared/programs/kill-dump.sh", LOCAL)
        self.addCleanup(killer.communicate)
        self.assertEqual(killer.stdout.readline(), "killed\n")
        wait_for(f"{job} complains", lambda: complaints(job.output()))
        job.wait_output("saved")  # the next one
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), ["ready", "True"])
        self.assertEqual(len(complaints(job.output())), 1)
        assert_clean(job)


main()
