# SPDX-License-Identifier: GPL-2.0-or-later
"""The checkpoint directory or the node-local one is full or read-only: the job runs on and says so once."""

from contextlib import contextmanager

from lib import *

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
block = random.Random(1).randbytes(30 << 20)
for i in range(1, 61):
    print("line", i, flush=True)
    time.sleep(0.05)
while not os.path.exists("go"):
    time.sleep(0.05)
sys.exit(7)
"""
GROWS = SCRIPT.replace("""while not os.path.exists("go")""", """while not os.path.exists("grow"):
    time.sleep(0.05)
more = bytes(100 << 20)
print("grown", flush=True)
while not os.path.exists("go")""").replace("bytes(100 << 20)", "random.Random(2).randbytes(100 << 20)")
EXPECTED = [f"line {i}" for i in range(1, 61)]
FULL, READONLY = "/mnt/full", "/mnt/readonly"


@contextmanager
def tmpfs(node, path, options):
    cluster.run(node, "mkdir", "-p", "-m", "700", path)
    cluster.run(node, "mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "none", path)
    try:
        yield
    finally:
        clear_policy(node)  # the daemon looks elsewhere
        cluster.run(node, "umount", path)


class StoreTrouble(SystemTest):
    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2")

    def run_on(self, places):
        """A job on each node of PLACES, {node: pattern of its complaint}."""
        jobs = {node: submit(SCRIPT, "--checkpoint-interval=1s", node=node) for node in places}
        for job in jobs.values():
            wait_for(f"{job} complains", lambda: complaints(job.output()))
            job.path("go").touch()
        for node, job in jobs.items():
            with self.subTest(node):
                self.assert_ended(end(job), "FAILED", "7:0")
                self.assertEqual(application_lines(job.output()), EXPECTED)
                self.assert_one_complaint(job, places[node])
        return jobs.values()

    def test_another_store_on_the_other_node(self):
        """Nothing was saved before the requeue itself: what Slurm has on record keeps the job from starting over its output."""
        cluster.run("n2", "install", "-d", "-m", "711", "/mnt/other")
        self.addCleanup(cluster.run, "n2", "rm", "-r", "/mnt/other")
        set_policy("n2", storage={"base": "/mnt/other"})
        job = submit(SCRIPT, "--checkpoint", "--checkpoint-interval=none", node="n1")
        job.wait_output("line 60")
        requeue(job, to="n2", wait=False)  # it may be held before anybody sees it run
        held = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0")
        self.assertIn("the store has nothing of this job on this node", held["AdminComment"])
        self.assertIn("line 60\n", job.output())
        clear_policy("n2")
        job.as_user("scontrol", "release", job.name)
        wait_restored(job, 2)
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        assert_clean(job)

    def test_full_and_read_only(self):
        with tmpfs("n1", FULL, "size=1m"), tmpfs("n2", READONLY, "ro"):
            set_policy("n1", storage={"base": FULL})
            set_policy("n2", storage={"base": READONLY})
            jobs = self.run_on({"n1": "full|space", "n2": "[Rr]ead-only"})
        assert_clean(*jobs)

    def test_local_directory_full_and_read_only(self):
        with tmpfs("n1", FULL, "size=1m"), tmpfs("n2", READONLY, "ro"):
            set_policy("n1", storage={"local": FULL})
            set_policy("n2", storage={"local": READONLY})
            jobs = self.run_on({"n1": "full|space", "n2": "[Rr]ead-only"})
        assert_clean(*jobs)

    def test_a_last_checkpoint_that_does_not_fit(self):
        """It is not tried: the newest one that was saved stands, and the job goes on from there."""
        with tmpfs("n1", FULL, "size=64m"):
            set_policy("n1", storage={"local": FULL})
            job = submit(GROWS, "--checkpoint-interval=none")
            job.wait_output("line 60")
            cluster.run("n1", "sckpt", "create", job.id, user="alice")
            job.path("grow").touch()
            job.wait_output("grown")
            requeue(job, to="n2")
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), [*EXPECTED, "grown"])
        self.assert_one_complaint(job, r"a checkpoint of \d+ MiB does not fit.*generation 1 stands")
        assert_clean(job)


main()
