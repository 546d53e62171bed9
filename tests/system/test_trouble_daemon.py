# SPDX-License-Identifier: GPL-2.0-or-later
"""ckptd is not there when a job starts, or dies under a running or a restored one: jobs run and end as if we were not there."""

from lib import *
from lib.product import restart_daemon

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 40
gate go
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, 41)]


class NoDaemon(SystemTest):
    def tearDown(self):
        self.start_daemons()

    def start_daemons(self):
        for node in ("n1", "n2"):
            restart_daemon(node)

    def assert_untroubled(self, *jobs):
        for job in jobs:
            self.assert_ended(end(job), "FAILED", "7:0")
            self.assertEqual(application_lines(job.output()), EXPECTED)
        self.start_daemons()  # what it cannot clear away while it is dead it clears away when it starts
        assert_clean(*jobs)

    def test_not_running_at_first_launch(self):
        cluster.service("n1", "ckptd", "stop")
        job = submit(SCRIPT, "--checkpoint-interval=1s")
        job.path("go").touch()
        self.assert_untroubled(job)
        self.assert_one_complaint(job, "ckptd.*without checkpoints")

    def test_dies_under_a_running_and_under_a_restored_job(self):
        running, restored = submit(SCRIPT, "--checkpoint", name="running"), submit(SCRIPT, "--checkpoint", name="restored")
        for job in (running, restored):
            job.wait_output("line 10")
        requeue(restored, to="n2")
        restored.wait_output("restored generation 1")
        for node in ("n1", "n2"):
            cluster.run(node, "pkill", "-KILL", "--exact", "ckptd")
        for job in (running, restored):
            job.path("go").touch()
        self.assert_untroubled(running, restored)

    def test_a_requeue_without_ckptd_goes_on_from_what_was_saved(self):
        """The program's own handler ends it with a status of its own: that is no end of the job."""
        job = submit(SCRIPT.replace("count line", "trap 'exit 3' TERM\ncount line"), "--checkpoint-interval=1s")
        job.wait_output("generation 1 saved")
        cluster.service("n1", "ckptd", "stop")
        job.wait_output("ckptd has ended")
        requeue(job, to="n2")
        job.wait_output("restored generation")
        job.path("go").touch()
        self.assert_untroubled(job)


main()
