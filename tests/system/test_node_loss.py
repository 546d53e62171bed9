# SPDX-License-Identifier: GPL-2.0-or-later
"""A node dies between two checkpoints: its jobs come back from their last ones on the other node, and their files hold every line once."""

import re

from lib import *

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=2s
. /shared/programs/gate.sh
count line 1 200 | tee copy
gate go
echo "the end"
"""


class NodeLoss(SystemTest):
    def tearDown(self):
        if not cluster.is_on("n1"):
            cluster.start_node("n1")

    def wait_for_a_second_of_work(self, job):
        lines = len(application_lines(job.output()))
        wait_for(f"{job} writes 20 lines more", lambda: len(application_lines(job.output())) > lines + 20)

    def assert_exact(self, job):
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["BatchHost"], "n2")
        expected = [f"line {i}" for i in range(1, 201)]
        self.assertEqual(application_lines(job.output()), [*expected, "the end"])
        self.assertEqual(job.path("copy").read_text().splitlines(), expected)

    def test_output_is_exact_after_a_power_loss(self):
        """Of a job that has run on since a checkpoint on that node; and of one before its first checkpoint there: the same last
        checkpoint is restored twice, and what was written in between is not written again."""
        twice = submit(SCRIPT.replace("interval=2s", "interval=none"), node="n2", name="twice")
        twice.wait_output("line 10")
        requeue(twice, to="n1")
        twice.wait_output("restored generation 1")
        job = submit(SCRIPT, node=None)
        first = job.wait_info("runs", lambda info: info["JobState"] == "RUNNING")["BatchHost"]
        self.assertEqual(first, "n1", "Slurm takes the first node")
        job.wait_output("generation 1 saved")
        for one in (job, twice):
            self.wait_for_a_second_of_work(one)
        cluster.kill_node("n1")
        twice.wait_info("is requeued", lambda info: info["JobState"] == "PENDING", timeout=90)
        twice.as_user("scontrol", "update", f"JobId={twice.id}", "ReqNodeList=n2")
        for one in (job, twice):
            one.wait_running("n2", timeout=90)
        job.wait_output("restored generation")
        wait_for(f"{twice} is restored again", lambda: re.search("restored generation 1 .* on n2", twice.output()))
        cluster.start_node("n1")
        for one in (job, twice):
            one.path("go").touch()
        for one in (job, twice):
            self.assert_exact(one)
        assert_clean(job, twice)


main()
