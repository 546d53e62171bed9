# SPDX-License-Identifier: GPL-2.0-or-later
"""slurmctld and slurmd are restarted under running jobs, as for an upgrade: the jobs do not notice, and are checkpointed,
requeued and restored afterwards as ever."""

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 60
gate go
echo "the end"
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, 61)]


def restart(node, service):
    cluster.service(node, service, "restart")
    wait_for("slurmctld answers", lambda: not cluster.attempt("ctl", "scontrol", "ping").returncode)
    wait_for("the nodes are there", lambda: "down" not in cluster.run("ctl", "sinfo", "--noheader", "--format=%T"))


class SlurmRestarts(SystemTest):
    def test_slurmctld_and_slurmd(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n1")
        job.wait_output("generation 1 saved")
        restart("ctl", "slurmctld")
        restart("n1", "slurmd")
        saved = job.output().count(" saved, ")
        wait_for(f"{job} is checkpointed", lambda: job.output().count(" saved, ") > saved + 1)
        requeue(job, to="n2")
        job.wait_output("restored generation")
        restart("n2", "slurmd")
        restart("ctl", "slurmctld")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), [*EXPECTED, "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)


main()
