# SPDX-License-Identifier: GPL-2.0-or-later
"""The newest images of a job that may come back stay on its node, within bounds (policy storage.local_copies): it is restored from
them there, and from the store wherever they are not."""

from lib import *
from lib.product import restart_daemon
from lib.store import directory_of, local_images

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
held = random.Random(1).randbytes(20 << 20)
for i in range(1, 31):
    print("line", i, flush=True)
    time.sleep(0.05)
while not os.path.exists("go"):
    time.sleep(0.05)
print("the block is", "right" if held == random.Random(1).randbytes(20 << 20) else "wrong", flush=True)
"""
EXPECTED = [*(f"line {i}" for i in range(1, 31)), "the block is right"]


class LocalCopy(SystemTest):
    def waiting(self, *names):
        """Jobs that have been on n1 and wait."""
        jobs = [submit(SCRIPT, "--checkpoint-interval=none", name=name) for name in names]
        for job in jobs:
            job.wait_output("line 30")
        for job in jobs:  # one after the other
            requeue(job, to="n1", hold=True)
            job.wait_output("generation 1 saved")
        return jobs

    def copies(self, job, node="n1"):
        found = local_images(node, job)
        self.assertEqual([path for path in found if "/copies/" not in path], [], "nothing else")
        return len(found)

    def release(self, job):
        job.as_user("scontrol", "release", job.id)

    def finish(self, job):
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_restored_on_the_node_without_the_store(self):
        (job,) = self.waiting("here")
        self.assertEqual(self.copies(job), 1)
        packs = directory_of(job) / "packs"
        packs.rename(packs.with_name("away"))
        self.release(job)
        job.wait_output("restored generation 1 ")
        self.assertEqual(self.copies(job), 0, "it is used up")
        packs.with_name("away").rename(packs)
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual(self.copies(job), 1, "of its next one")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual(self.copies(job), 1, "of the newest")
        self.finish(job)
        self.assertEqual(self.copies(job), 0, "a job that has succeeded needs none")

    def test_from_the_store_when_the_copy_is_gone_or_old(self):
        (job,) = self.waiting("store")
        restart_daemon("n1")
        self.assertEqual(self.copies(job), 0, "gone with the daemon")
        self.release(job)
        job.wait_output("restored generation 1 ")
        requeue(job, to="n2")
        job.wait_output("restored generation 2 ")
        requeue(job, to="n1")
        self.assertEqual(self.copies(job, "n2"), 1)
        job.wait_output("restored generation 3 ")
        self.assertEqual(self.copies(job), 1, "of generation 2, which another one may still need")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual(self.copies(job), 1)
        self.finish(job)
        self.assertEqual(self.copies(job), 0)

    def test_a_copy_that_does_not_restore_costs_nothing(self):
        (job,) = self.waiting("damaged")
        (copy,) = local_images("n1", job)
        cluster.run("n1", "truncate", "--size=5", f"{copy}/pstree.img")
        self.release(job)
        job.wait_output("restored generation 1 ")
        (line,) = complaints(job.output())
        self.assertIn("trying the same checkpoint as it is in the store", line)
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(self.copies(job), 0)
        assert_clean(job)

    def test_bounds(self):
        with self.subTest("one that is larger"):
            set_policy("n1", storage={"local_copies": "8M"})
            self.addCleanup(clear_policy, "n1")
            (large,) = self.waiting("large")
            self.assertEqual(self.copies(large), 0)
        with self.subTest("two that are larger together"):
            set_policy("n1", storage={"local_copies": "40M"})
            first, second = self.waiting("first", "second")
            self.assertEqual((self.copies(first), self.copies(second)), (0, 1), "the older one goes")
        for job in (large, first, second):
            self.release(job)
        for job in (large, first, second):
            job.wait_output("restored generation 1 ")
            job.path("go").touch()
        for job in (large, first, second):
            self.assert_ended(end(job))
            self.assertEqual(application_lines(job.output()), EXPECTED)
            self.assertEqual((complaints(job.output()), self.copies(job)), ([], 0))
        assert_clean(large, first, second)


main()
