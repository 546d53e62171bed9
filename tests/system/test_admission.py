# SPDX-License-Identifier: GPL-2.0-or-later
"""How many checkpoints a node takes at once: periodic ones wait for each other, the end of a job waits for none of them."""

import shutil

from lib import *

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
block = random.Random(1).randbytes(100 << 20)
lines = 0
while not os.path.exists("go"):
    lines += 1
    print(f"line {lines}", flush=True)
    time.sleep(0.05)
print(hash(block) == hash(random.Random(1).randbytes(100 << 20)), flush=True)
sys.exit(7)
"""
DUMPS = "/shared/dumps"


def dumps(pattern):
    return {path.name for path in cluster.shared(DUMPS).glob(pattern)}


class OneAtATime(SystemTest):
    def setUp(self):
        directory = cluster.shared(DUMPS)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        directory.chmod(0o1777)
        self.addCleanup(shutil.rmtree, directory)
        path = "/usr/local/sbin/criu-watched"
        cluster.run("n1", "install", "-m", "755", "/shared/programs/criu-watched.sh", path)
        set_policy("n1", engine={"criu": path}, admission={"dumps": 1})
        self.addCleanup(clear_policy, "n1")

    def test_one_periodic_dump(self):
        first = submit(SCRIPT, "--checkpoint-interval=1s", name="first")
        wait_for("the first dump begins", lambda: dumps("first"))
        second, third = (submit(SCRIPT, "--checkpoint-interval=1s", name=name) for name in ("second", "third"))
        for job in (second, third):
            job.wait_output("line 60")  # three intervals
        self.assertEqual(len(dumps("[0-9]*")), 1, "they wait")

        requeue(second, to="n2", hold=True)  # while the first one is still at it
        self.assertIn("generation 1 saved", second.output())
        self.assertEqual(len(dumps("[0-9]*")), 2)
        self.assertEqual(len(dumps("together-*")), 1)
        self.assertNotIn("saved", first.output() + third.output())

        (cluster.shared(DUMPS) / "go").touch()
        for job in (first, third):
            job.wait_output("generation 3 saved")
        self.assertEqual(len(dumps("together-*")), 1, "nobody but the job that ended")

        second.as_user("scontrol", "release", second.id)
        second.wait_output("restored generation 1")
        for job in (first, second, third):
            job.path("go").touch()
        for job in (first, second, third):
            self.assert_ended(end(job), "FAILED", "7:0")
            lines = application_lines(job.output())
            self.assertEqual(lines, [*(f"line {i}" for i in range(1, len(lines))), "True"])
            self.assertEqual(complaints(job.output()), [])
        assert_clean(first, second, third)

    def test_one_that_does_not_move_keeps_nobody_waiting(self):
        """Its criu, which hangs here, may have been stopped by its user, as whom it runs."""
        first = submit(SCRIPT, "--checkpoint-interval=1s", name="first")
        wait_for("the first dump begins", lambda: dumps("first"))
        second = submit(SCRIPT, "--checkpoint-interval=1s", name="second")
        wait_for("the second dump begins", lambda: len(dumps("[0-9]*")) == 2, timeout=120)
        self.assertNotIn("saved", first.output())
        (cluster.shared(DUMPS) / "go").touch()
        for job in (first, second):
            job.wait_output("generation 1 saved")
            job.path("go").touch()
            self.assert_ended(end(job), "FAILED", "7:0")
        assert_clean(first, second)

    def test_a_job_that_ends_while_it_waits(self):
        """And one whose user asks for a checkpoint meanwhile."""
        first = submit(SCRIPT, "--checkpoint-interval=1s", name="first")
        wait_for("the first dump begins", lambda: dumps("first"))
        ends, asked = (submit(SCRIPT, "--checkpoint-interval=1s", name=name) for name in ("ends", "asked"))
        for job in (ends, asked):
            job.wait_output("line 60")
        ends.path("go").touch()
        self.assert_ended(end(ends), "FAILED", "7:0")
        asking = cluster.background("n1", "sckpt", "create", asked.id, user=asked.user)
        self.addCleanup(asking.communicate)
        self.assertEqual(len(dumps("[0-9]*")), 1)
        (cluster.shared(DUMPS) / "go").touch()
        self.assertRegex(asking.stdout.readline(), rf"^generation \d+ of job {asked.id} saved$")
        self.assertEqual(dumps("together-*"), set())
        for job in (first, asked):
            job.wait_output("saved")
            job.path("go").touch()
            self.assert_ended(end(job), "FAILED", "7:0")
        assert_clean(first, ends, asked)


main()
