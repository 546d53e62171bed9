# SPDX-License-Identifier: GPL-2.0-or-later
"""A suspended job is left alone, and checkpointed again when it has been resumed."""

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 60
gate go
echo "the end"
"""


class Suspend(SystemTest):
    def refused(self, job):
        done = cluster.attempt("n1", "sckpt", "create", job.id, user="alice")
        return done.returncode != 0 and "is suspended" in done.stderr

    def test_suspended_and_resumed(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n1")
        job.wait_output("generation 1 saved")
        cluster.run("ctl", "scontrol", "suspend", job.id)
        wait_for(f"{job} is suspended", lambda: self.refused(job))
        saved = job.output().count(" saved, ")
        cluster.run("ctl", "scontrol", "resume", job.id)
        wait_for(f"{job} is checkpointed again", lambda: job.output().count(" saved, ") > saved)
        requeue(job, to="n2")
        job.wait_output("restored generation")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 61)), "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)


main()
