# SPDX-License-Identifier: GPL-2.0-or-later
"""scancel means it: the application's own handler runs, nothing is saved unless the user has asked for it, nothing comes back."""

from lib import *

SCRIPT = """#!/bin/bash
trap 'echo handled; exit 3' TERM
echo ready
while :; do sleep 0.1; done
"""
COUNT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 60
gate go
echo "the end"
"""


class Cancel(SystemTest):
    def test_cancelled(self):
        plain = submit(SCRIPT, "--checkpoint", node="n1", name="plain")
        saved = submit(SCRIPT, "--checkpoint-on=cancel", node="n1", name="saved")
        for job in (plain, saved):
            job.wait_output("ready")
            job.as_user("scancel", job.name)
        for job in (plain, saved):
            info = end(job)
            self.assertEqual((info["JobState"], info["Restarts"]), ("CANCELLED", "0"))
            self.assertEqual(application_lines(job.output()), ["ready", "handled"])
            self.assertEqual(complaints(job.output()), [])
        assert_clean(plain, saved)
        self.assertEqual(generations(plain), [])
        self.assertEqual([one["reason"] for one in generations(saved)], ["forced end"])

    def test_requeuehold_waits_for_the_release(self):
        job = submit(COUNT, "--checkpoint", node="n1", name="hold")
        job.wait_output("line 5")
        requeue(job, to="n2", hold=True)
        job.as_user("scontrol", "release", job.name)
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 61)), "the end"])
        assert_clean(job)


main()
