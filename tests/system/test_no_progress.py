# SPDX-License-Identifier: GPL-2.0-or-later
"""A job that is restored again and again from the same checkpoint is held, with a reason that says how to go on."""

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
echo "the end"
"""


class NoProgress(SystemTest):
    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2")

    def restoration(self, job):
        """What the output says of the last one. The one before it is no longer there; its time was another."""
        return next((line for line in product_lines(job.output()) if line.startswith("restored generation 1 ")), "")

    def requeue(self, job):
        """Until it is restored once more: a restore that has not begun is none that brought it no further."""
        before = self.restoration(job)
        job.as_user("scontrol", "requeue", job.name)
        wait_for(f"{job} is restored again", lambda: self.restoration(job) not in ("", before))

    def test_held_and_released(self):
        set_policy("n1", "n2", failure={"no_progress": 2})
        job = submit(SCRIPT, "--checkpoint-on=timelimit", "--checkpoint-interval=none", node="n1")
        job.wait_output("line 5")
        cluster.run("n1", "sckpt", "create", job.id, user="alice")
        for times in (1, 2):
            self.requeue(job)
            self.assertEqual(job.info()["Restarts"], str(times))
        job.as_user("scontrol", "requeue", job.name)
        held = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0")
        self.assertIn("without getting to a new one", held["AdminComment"])
        self.assertIn("scontrol release", held["AdminComment"])
        job.as_user("scontrol", "release", job.name)
        wait_for(f"{job} runs again", lambda: job.info()["JobState"] == "RUNNING")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 21)), "the end"])
        assert_clean(job)


main()
