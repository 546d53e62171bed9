# SPDX-License-Identifier: GPL-2.0-or-later
"""ckptd is restarted, upgraded or killed under running jobs: their output does not show it, and their checkpoints go on."""

import json

from lib import *
from lib.product import generations, product_lines, restart_daemon

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 40
gate go
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, 41)]
LARGE = """#!/usr/bin/python3
import os, random, sys, time
block = random.Random(1).randbytes(200 << 20)
for i in range(1, 41):
    print("line", i, flush=True)
    time.sleep(0.05)
while not os.path.exists("go"):
    time.sleep(0.05)
sys.exit(7)
"""
LATE = "/usr/local/sbin/criu-restores-late"


def kill_daemon(node):
    """And start it again, as systemd would."""
    cluster.run(node, "pkill", "-KILL", "--exact", "ckptd")
    restart_daemon(node)


class DaemonRestart(SystemTest):
    def assert_untroubled(self, *jobs):
        for job in jobs:
            job.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job), "FAILED", "7:0")
            self.assertEqual(application_lines(job.output()), EXPECTED)
            self.assertEqual(complaints(job.output()), [])
        assert_clean(*jobs)

    def newest(self, job):
        return max(one["generation"] for one in generations(job))

    def assert_goes_on_saving(self, job):
        """Periodic checkpoints, by the interval."""
        newest = self.newest(job)
        wait_for(f"{job} has newer generations than {newest}", lambda: self.newest(job) > newest)

    def test_running_and_restored_jobs_are_checkpointed_as_before(self):
        """One of each under a daemon that is restarted, and under one that is killed; the last checkpoint of each restores."""
        jobs = [submit(SCRIPT, "--checkpoint-interval=2s", name=name) for name in ("running", "restored")]
        for job in jobs:
            job.wait_output("generation 1 saved")
        requeue(jobs[1], to="n2")
        jobs[1].wait_output("restored generation")
        for strike in (restart_daemon, kill_daemon):
            for job, node in zip(jobs, ("n1", "n2")):
                strike(node)
                self.assert_goes_on_saving(job)
        for job, node in zip(jobs, ("n1", "n2")):
            cluster.run(node, "sckpt", "create", job.id, user="alice")
        for job, to in zip(jobs, ("n2", "n1")):
            requeue(job, to=to)
            last = self.newest(job)
            details = cluster.run("n1", "sckpt", "show", "--json", job.id, user="alice").splitlines()
            self.assertIn("forced end", [one["reason"] for one in map(json.loads, details) if one["generation"] == last])
            job.wait_output(f"restored generation {last} ")
        self.assert_untroubled(*jobs)

    def test_the_end_of_a_job_is_on_record(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s")
        job.wait_output("generation 1 saved")
        kill_daemon("n1")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        job.as_user("scontrol", "requeue", job.id)
        job.wait_output("the job had run to its end before")
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        assert_clean(job)

    def test_a_time_limit_is_still_met(self):
        set_policy("n1", time_limit={"reserve": "30s"})  # half of the shortest limit there is, one minute
        self.addCleanup(clear_policy, "n1")
        job = submit(SCRIPT, "--checkpoint-interval=none", "--time=1")
        job.wait_output("line 10")
        kill_daemon("n1")
        job.wait_output("requeued before its time limit", timeout=100)
        job.wait_output("restored generation")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(len(product_lines(job.output())), 3, "saved, requeued, restored")
        assert_clean(job)

    def begin_late_restore(self):
        """A job that is being restored on n2, once this file is made."""
        cluster.run("n2", "install", "-m", "755", "/shared/programs/criu-restores-late.sh", LATE)
        late = cluster.shared("/shared/programs/restore")
        late.unlink(missing_ok=True)
        self.addCleanup(late.unlink, missing_ok=True)
        set_policy("n2", engine={"criu": LATE})
        self.addCleanup(clear_policy, "n2")
        job = submit(SCRIPT, "--checkpoint-interval=none")
        job.wait_output("line 10")
        requeue(job, to="n2")
        wait_for("its restore has begun", lambda: cluster.attempt("n2", "pgrep", "--full", "criu-restores-late").returncode == 0)
        return job, late

    def test_killed_while_a_job_is_restored(self):
        job, late = self.begin_late_restore()
        kill_daemon("n2")
        late.touch()
        job.wait_output("restored generation 1")
        self.assert_untroubled(job)

    def test_killed_while_the_last_checkpoint_is_saved(self):
        """Its images are complete and the program has been ended: the next ckptd brings them to the store, and the epilog waits."""
        job = submit(LARGE, "--checkpoint-interval=none")
        job.wait_output("line 10")
        strike = "until pgrep --exact ckpt-sealer; do :; done; pkill -STOP --exact ckpt-sealer; pkill -KILL --exact ckptd"
        striking = cluster.background("n1", "sh", "-c", strike)
        job.as_user("scontrol", "requeue", job.id)
        striking.communicate()
        restart_daemon("n1")
        job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING")
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        job.wait_output("restored generation 1")
        self.assert_untroubled(job)

    def test_killed_before_it_could_tell_of_a_restored_job(self):
        """What was brought to life has run on, unknown to its shim: it is ended, and the job restored once more, without a line twice."""
        job, late = self.begin_late_restore()
        cluster.run("n2", "pkill", "-STOP", "--exact", "ckptd")
        late.touch()
        job.wait_output("line 40")
        kill_daemon("n2")
        job.wait_output("restored generation 1")
        self.assert_untroubled(job)


main()
