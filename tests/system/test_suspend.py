# SPDX-License-Identifier: GPL-2.0-or-later
"""A suspended job is left alone, and checkpointed again when it has been resumed. When it is requeued, Slurm kills it without a word
(slurmd/req.c:_rpc_terminate_job), and it goes on from its newest checkpoint."""

from lib import *
from lib.cluster import SLURM_CONF

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 60
gate go
echo "the end"
"""
GANG = "PartitionName=suspended Nodes=ALL State=UP PreemptMode=SUSPEND PriorityTier=1\n"


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

    def test_suspended_for_another_job(self):
        """As gang scheduling does it, which goes another way than scontrol (slurmctld/gang.c)."""
        before = cluster.read("ctl", SLURM_CONF)
        self.addCleanup(cluster.configure, before)
        cluster.configure(before.replace("PreemptMode=REQUEUE\n", "PreemptMode=SUSPEND,GANG\n", 1) + GANG)
        job = submit(SCRIPT, "--checkpoint-interval=1s", "--partition=suspended", node="n1")
        job.wait_output("generation 1 saved")
        urgent = submit("#!/bin/bash\n. /shared/programs/gate.sh\ngate go\n", "--partition=urgent", "--exclusive", node="n1", name="urgent")
        wait_for(f"{job} is suspended", lambda: self.refused(job))
        saved = job.output().count(" saved, ")
        urgent.path("go").touch()
        self.assert_ended(end(urgent))
        wait_for(f"{job} is checkpointed again", lambda: job.output().count(" saved, ") > saved)
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["Restarts"], "0")
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 61)), "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_requeued_while_it_is_suspended(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n1")
        job.wait_output("generation 1 saved")
        cluster.run("ctl", "scontrol", "suspend", job.id)
        wait_for(f"{job} is suspended", lambda: self.refused(job))
        requeue(job, to="n2", hold=True)
        newest = max(one["generation"] for one in generations(job))  # its epilog has waited for the last commit
        cluster.run("ctl", "scontrol", "release", job.id)  # a job that an admin has suspended and that is requeued is held by the admin
        job.wait_output(f"restored generation {newest} ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 61)), "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)


main()
