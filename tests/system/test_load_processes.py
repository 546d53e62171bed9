# SPDX-License-Identifier: GPL-2.0-or-later
"""A job with 2,000 processes: saved, requeued, and all of them are there and hold what they held. CKPT_PROCESSES=N: so many."""

import os

from lib import *
from lib.load import REFUSAL, LoadTest, Peak, troubles

COUNT = int(os.environ.get("CKPT_PROCESSES", "2000"))
SCRIPT = f"#!/bin/bash\n#SBATCH --checkpoint-interval=none\n/shared/programs/ring {COUNT} socket\nexit $?\n"
PIPES = 1024  # of which CRIU keeps the data (engine/survey.hpp:k_pipes_max)


class Processes(LoadTest):
    def assert_rounds(self, job):
        *rounds, last = application_lines(job.output())
        self.assertEqual(rounds, [f"round {i} {i + COUNT * (COUNT + 1) // 2}" for i in range(1, len(rounds) + 1)])
        self.assertEqual(last, f"{COUNT} processes have ended, each with its status")

    def test_more_pipes_than_criu_takes(self):
        """The user is told how many there are and what to do, before anything is stopped, and nothing happens to the job."""
        self.assertGreater(COUNT, PIPES)
        job = submit(SCRIPT.replace("socket", "pipe"))
        job.wait_output("round 3 ", timeout=120)
        done = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"\A{REFUSAL.pattern}\Z")
        self.assert_one_complaint(job, rf"the job has {COUNT + 1} pipes open, and CRIU saves {PIPES} at most; .*app:SIG.* \[CKPT-403\]; the job runs on")
        job.path("go").touch()
        self.assert_ended(end(job, timeout=120), "FAILED", "9:0")
        self.assert_rounds(job)
        assert_clean(job)

    def test_all_go_on(self):
        """Once when somebody asks for it, and once when Slurm ends the job."""
        job = submit(SCRIPT)
        job.wait_output("round 3 ", timeout=120)
        self.tell(f"{COUNT} processes run")
        for to, restart in (("n2", 1), ("n1", 2)):
            with Peak() as peak:
                if restart == 1:
                    cluster.run("n1", "sckpt", "requeue", job.id, user=job.user)
                    job.as_user("scontrol", "update", f"JobId={job.id}", f"ReqNodeList={to}")
                else:
                    requeue(job, to=to, wait=False)
                job.wait_output(f"restored generation {restart} ", timeout=600)
                job.wait_info("goes on", lambda info: info["Restarts"] == str(restart) and info["JobState"] == "RUNNING")
            self.tell(f"restored on {to}", **peak.most)
            wait_for("the ring goes on", lambda: application_lines(job.output().rpartition("restored generation")[2])[1:], timeout=120)
        for line in product_lines(job.output()):
            self.tell(line)
        job.path("go").touch()
        self.assert_ended(end(job, timeout=300), "FAILED", "9:0")
        self.assert_rounds(job)
        self.assertEqual(troubles(job.output()), [])
        assert_clean(job)
        self.assert_same_daemons()


main()
