# SPDX-License-Identifier: GPL-2.0-or-later
"""Three jobs of each kind of forced end, at random moments of theirs: each is restored, and no line is lost or doubled.
CKPT_SEED=N repeats a run."""

import os
import random

from lib import *

SEED = int(os.environ.get("CKPT_SEED", "3"))
LINES = 80
SCRIPT = f"""#!/bin/bash
. /shared/programs/gate.sh
count line 1 {LINES} | tee copy
gate go
echo "the end"
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, LINES + 1)]


class RandomEnds(SystemTest):
    def setUp(self):
        self.random = random.Random(SEED)
        print(f"seed {SEED}", flush=True)

    def tearDown(self):
        if not cluster.is_on("n1"):
            cluster.start_node("n1")

    def three(self, kind, *options, node):
        return [submit(SCRIPT, *options, node=node, name=f"{kind}-{i}") for i in (1, 2, 3)]

    def at_a_random_moment(self, job):
        line = self.random.randint(3, LINES)
        job.wait_output(f"line {line}\n")
        print(f"{job}: ended at line {line} or soon after", flush=True)

    def finish(self, kind, jobs):
        for job in jobs:
            with self.subTest(f"{kind}: {job}"):
                wait_for(f"{job} is restored", lambda: "checkpoint: restored generation" in job.output(), timeout=120)
                restored = [line for line in product_lines(job.output()) if line.startswith("restored")]
                print(f"{kind}: {job}: {restored[-1]}", flush=True)
                job.path("go").touch()
        for job in jobs:
            with self.subTest(f"{kind}: {job}"):
                info = end(job)
                self.assert_ended(info, "FAILED", "7:0")
                self.assertEqual(info["Restarts"], "1")
                self.assertEqual(application_lines(job.output()), [*EXPECTED, "the end"])
                self.assertEqual(job.path("copy").read_text().splitlines(), EXPECTED)

    def test_requeues_limits_and_preemptions(self):
        jobs = {
            "requeue": self.three("requeue", "--checkpoint", node="n1"),
            "time limit": self.three("limit", "--checkpoint", "--time=10", node="n1"),
            "preemption": self.three("preempted", "--checkpoint", "--partition=requeued", node="n2"),
            "preemption for good": self.three("killed", "--checkpoint", "--partition=cancelled", node="n2"),
        }
        for job in jobs["requeue"]:
            self.at_a_random_moment(job)
            job.as_user("scontrol", "requeue", job.name)
        for job in jobs["time limit"]:
            self.at_a_random_moment(job)
            cluster.run("ctl", "scontrol", "update", f"JobId={job.id}", "EndTime=now+2seconds")
        self.at_a_random_moment(jobs["preemption"][0])
        urgent = submit("#!/bin/bash\n", "--partition=urgent", "--exclusive", node="n2", name="urgent")
        self.assert_ended(end(urgent))
        for kind, some in jobs.items():
            self.finish(kind, some)
        assert_clean(*(job for some in jobs.values() for job in some), urgent)

    def test_node_failures(self):
        jobs = self.three("node", "--checkpoint-interval=1s", node=None)
        for job in jobs:
            job.wait_output("generation 1 saved")
            self.assertEqual(job.info()["BatchHost"], "n1", "Slurm takes the first node")
        self.at_a_random_moment(jobs[0])
        cluster.kill_node("n1")
        for job in jobs:
            job.wait_running("n2", timeout=90)
        cluster.start_node("n1")
        self.finish("node failure", jobs)
        assert_clean(*jobs)


main()
