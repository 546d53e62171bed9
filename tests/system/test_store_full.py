# SPDX-License-Identifier: GPL-2.0-or-later
"""The store, or ckptd's own directory on a node, becomes full at any point of a checkpoint or restore: the job runs on with one line
that says so, what was saved before stands, nothing half done stays, and once there is room again checkpoints go on."""

import itertools
from contextlib import contextmanager

from lib import *
from lib.store import local_images

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
def block(number):
    return random.Random(number).randbytes(20 << 20 if number == 0 else 2 << 20)
number, first, changing = 0, block(0), block(-1)
for i in range(1, 31):
    print("line", i, flush=True)
    time.sleep(0.05)
while not os.path.exists("go"):
    time.sleep(0.05)
    if os.path.exists(f"change-{number + 1}"):
        number += 1
        changing = block(number)
        print("changed", number, flush=True)
print("all is", "right" if (first, changing) == (block(0), block(number or -1)) else "wrong", flush=True)
sys.exit(7)
"""
BASE = "/mnt/small"
SIZE_KIB = 64 << 10
NO_ROOM_HERE = r"storage\.local.*No space left.*\[CKPT-502\]"
POLICY = {"storage": {"base": BASE, "local_copies": 0}, "retention": {"min_free": 0}}


def expected(changes):
    return [*(f"line {i}" for i in range(1, 31)), *(f"changed {i}" for i in range(1, changes + 1)), "all is right"]


@contextmanager
def small_directory(node, options):
    cluster.run(node, "mkdir", "-p", BASE)
    cluster.run(node, "mount", "-t", "tmpfs", "-o", options, "none", BASE)
    try:
        yield
    finally:
        clear_policy(node)  # the daemon looks elsewhere
        cluster.run(node, "umount", BASE)


@contextmanager
def small_store(**policy):
    """Of n1 alone."""
    with small_directory("n1", f"mode=711,size={SIZE_KIB}k"):
        set_policy("n1", **{**POLICY, **policy})
        yield


def free_kib():
    return int(cluster.run("n1", "stat", "--file-system", "--format=%a", BASE)) * 4


def fill(leave_kib):
    """Something else takes all but so much."""
    cluster.run("n1", "sh", "-ec", 'rm -f "$1/filler"; fallocate --length "$(($(stat --file-system --format=%a "$1") * 4 - $2))K" "$1/filler"',
                "sh", BASE, leave_kib)


class Full(SystemTest):
    def saved(self, keep, node="n1"):
        """A job with one generation."""
        job = submit(SCRIPT, "--checkpoint-interval=none", f"--checkpoint-keep={keep}", node=node)
        job.wait_output("line 30")
        self.create(job, node)
        return job

    def attempt(self, job, node="n1"):
        return cluster.attempt(node, "sckpt", "create", job.id, user=job.user)

    def create(self, job, node="n1"):
        done = self.attempt(job, node)
        self.assertEqual(done.returncode, 0, done.stderr)

    def change(self, job, number):
        """Now some of it is in no generation."""
        job.path(f"change-{number}").touch()
        job.wait_output(f"changed {number}")

    def wait_held(self, job, restarts):
        info = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Restarts"] == restarts and info["Priority"] == "0")
        return " ".join(info.get(key, "") for key in ("Reason", "Comment", "AdminComment"))

    def finish(self, job, changes):
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), expected(changes))

    def is_refused(self, job, room):
        """A checkpoint, when there are so many KiB for it: then nothing of it is left."""
        fill(leave_kib=room)
        before = [one["generation"] for one in generations(job)]
        done = self.attempt(job)
        if not done.returncode:
            return False
        self.assertRegex(done.stderr, r"\[CKPT-602\]\n$")
        wait_for("nothing of it is left on the node", lambda: not local_images("n1", job))
        self.assertEqual(free_kib(), room, "nothing of it is left in the store")
        self.assertEqual([one["generation"] for one in generations(job)], before)
        return True

    def room_for_a_change(self, job):
        """In KiB, of one like those that were before."""
        before = free_kib()
        self.create(job)
        return before - free_kib()

    def test_the_store_at_every_point_of_a_checkpoint(self):
        """Before anything, in the pack, in the index, in the manifest; then there is room again."""
        with small_store():
            job = self.saved(keep=9)
            for number in (1, 2, 3):
                self.change(job, number)
                needed = self.room_for_a_change(job)
            self.change(job, 4)
            rooms = [0, 4, 8, 64, 1024, *range(needed - 100, needed + 400, 12)]
            refused = list(itertools.takewhile(lambda room: self.is_refused(job, room), rooms))
            self.assertGreater(len(refused), 6, "the index was reached")
            self.assertLess(len(refused), len(rooms), "saved in the end")
            self.assert_one_complaint(job, r"No space left.*\[CKPT-602\]")
            self.assertEqual([one["generation"] for one in generations(job)], [1, 2, 3, 4, 5 + len(refused)])
            self.finish(job, 4)
        assert_clean(job)

    def test_the_store_when_a_job_is_requeued(self):
        """What was saved before is restored; while there is no room even for the record of that, the job is held."""
        with small_store():
            job = self.saved(keep=2)
            self.change(job, 1)
            self.create(job)
            self.change(job, 2)
            fill(leave_kib=400)
            requeue(job, to="n1")
            job.wait_output("restored generation 2 ")
            job.wait_output("changed 2")
            self.assert_one_complaint(job, r"generation 3 was not saved.*")
            fill(leave_kib=0)
            job.as_user("scontrol", "requeue", job.id)
            self.assertRegex(self.wait_held(job, "3"), r"\[CKPT-602\]")
            fill(leave_kib=20480)
            job.as_user("scontrol", "release", job.id)
            wait_for("it is restored again", lambda: product_lines(job.output())[-1].startswith("restored generation 2 "))
            self.create(job)
            self.finish(job, 2)
        assert_clean(job)

    def test_the_share_that_is_to_stay_free(self):
        with small_store(retention={"min_free": "20%"}):
            job = self.saved(keep=2)
            fill(leave_kib=SIZE_KIB // 10)
            self.assertRegex(self.attempt(job).stderr, r"have to stay free.*\[CKPT-602\]\n$")
            self.assert_one_complaint(job, r"have to stay free.*\[CKPT-602\]")
            fill(leave_kib=SIZE_KIB // 4)
            self.create(job)
            self.finish(job, 0)
        assert_clean(job)

    def test_the_nodes_own_directory_when_a_job_is_restored(self):
        job = self.saved(keep=2)
        requeue(job, to="n2", hold=True)
        with small_directory("n2", "mode=700,size=8m"):
            set_policy("n2", storage={"local": BASE})
            job.as_user("scontrol", "release", job.id)
            self.assertRegex(self.wait_held(job, "2"), NO_ROOM_HERE)
            self.assertEqual(cluster.run("n2", "find", BASE, "-type", "f"), "", "nothing is left")
        job.as_user("scontrol", "release", job.id)
        job.wait_output("restored generation 2 ")
        self.assert_one_complaint(job, NO_ROOM_HERE)
        self.finish(job, 0)
        assert_clean(job)


main()
