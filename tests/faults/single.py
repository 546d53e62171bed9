# SPDX-License-Identifier: GPL-2.0-or-later
"""single.py: one fault at a time, each where a campaign once found a job broken."""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from faults import Fault, Faults  # noqa: E402
from lib import *  # noqa: E402

COUNT = ". /shared/programs/gate.sh; count"
SCRIPT = f"""#!/bin/bash
{COUNT} line 1 60
gate go
"""
STEP = f"""#!/bin/bash
. /shared/programs/gate.sh
echo before
gate begin
srun --ntasks=1 bash -c '{COUNT} line 1 60; gate go'
echo "status $?"
"""


class Single(SystemTest):
    def setUp(self):
        super().setUp()
        self.faults = Faults(random.Random(1))
        self.faults.begin()

    def tearDown(self):
        self.faults.mend()
        super().tearDown()

    def assert_struck(self, *places):
        self.assertEqual(sorted(fault.place for fault in self.faults.over()), sorted(places))

    def assert_restored_in_spite_of(self, word):
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n1", name="restore")
        job.wait_output("generation 2 saved")
        self.faults.make(Fault("n2", "restore.delivered", word))
        requeue(job, to="n2")
        job.wait_output("restored generation ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assert_struck("restore.delivered")
        self.assertIn("trying the checkpoint before it", job.output())
        self.assertEqual(application_lines(job.output()), [f"line {i}" for i in range(1, 61)])
        assert_clean(job)

    def test_a_restore_that_dies_with_its_tree(self):
        self.assert_restored_in_spite_of("crash")

    def test_a_restore_that_fails_with_its_tree(self):
        self.assert_restored_in_spite_of("EIO")

    def test_a_step_that_cannot_reach_ckptd(self):
        """Nothing says that it runs; and yet nothing is saved that would run it twice."""
        job = submit(STEP, "--checkpoint-interval=1s", node="n1", name="step")
        job.wait_output("generation 1 saved")
        self.faults.make(Fault("n1", "shim.greet", "EIO"))
        job.path("begin").touch()
        job.wait_output("line 5\n")
        self.assert_struck("shim.greet")
        refused = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertRegex(refused.stderr, r"a step of the job runs without checkpoints: .*\[CKPT-403\]")
        requeue(job, to="n2")
        job.wait_output("restored generation ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["before", *(f"line {i}" for i in range(1, 61)), "status 0"])
        assert_clean(job)

    def test_a_restored_srun_that_cannot_ask_at_once(self):
        """The script does not take it for its step's failure."""
        job = submit(STEP, "--checkpoint-interval=1s", node="n1", name="ask")
        job.path("begin").touch()
        job.wait_output("line 5\n")
        saved = job.output().count(" saved")
        wait_for("the step is saved", lambda: job.output().count(" saved") > saved + 1)
        self.faults.make(Fault("n2", "srun.ask", "EIO"))
        requeue(job, to="n2")
        job.wait_output("restored generation ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assert_struck("srun.ask")
        self.assertEqual(application_lines(job.output()), ["before", *(f"line {i}" for i in range(1, 61)), "status 0"])
        assert_clean(job)


main()
