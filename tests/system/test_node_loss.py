# SPDX-License-Identifier: GPL-2.0-or-later
"""A node dies between two checkpoints: the job comes back from the last one on the other node, and its files hold every line once."""

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

    def test_output_is_exact_after_a_power_loss(self):
        job = submit(SCRIPT, node=None)
        first = job.wait_info("runs", lambda info: info["JobState"] == "RUNNING")["BatchHost"]
        self.assertEqual(first, "n1", "Slurm takes the first node")
        job.wait_output("generation 1 saved")
        saved_at = len(application_lines(job.output()))
        wait_for("a second of work after it", lambda: len(application_lines(job.output())) > saved_at + 20)
        cluster.kill_node("n1")
        job.wait_running("n2", timeout=90)
        job.wait_output("restored generation")
        cluster.start_node("n1")
        job.path("go").touch()
        info = end(job)

        self.assert_ended(info)
        self.assertEqual(info["BatchHost"], "n2")
        expected = [f"line {i}" for i in range(1, 201)]
        self.assertEqual(application_lines(job.output()), [*expected, "the end"])
        self.assertEqual(job.path("copy").read_text().splitlines(), expected)
        assert_clean(job)

    def test_output_is_exact_when_the_next_node_dies_before_its_first_checkpoint(self):
        """The same last checkpoint is restored twice: what was written in between is not written again."""
        job = submit(SCRIPT.replace("interval=2s", "interval=none"), node="n2", name="twice")
        job.wait_output("line 10")
        requeue(job, to="n1")
        job.wait_output("restored generation 1")
        restored_at = len(application_lines(job.output()))
        wait_for("some more lines", lambda: len(application_lines(job.output())) > restored_at + 20)
        cluster.kill_node("n1")
        job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING", timeout=90)
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        job.wait_running("n2", timeout=90)
        wait_for(f"{job} is restored again", lambda: re.search("restored generation 1 .* on n2", job.output()))
        cluster.start_node("n1")
        job.path("go").touch()
        self.assert_ended(end(job))
        expected = [f"line {i}" for i in range(1, 201)]
        self.assertEqual(application_lines(job.output()), [*expected, "the end"])
        self.assertEqual(job.path("copy").read_text().splitlines(), expected)
        assert_clean(job)


main()
