# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever works on the store is killed in the middle of it, or the node dies: the job runs on, or goes on from the newest generation
that is complete, and nothing half done stays."""

import re

from lib import *
from lib.product import restart_daemon
from lib.store import directory_of, local_images, packs, seen_by_nodes, untidy

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
def block(number):
    return random.Random(number).randbytes(SIZE << 20)
number = 0
held = block(number)
for i in range(1, 31):
    print("line", i, flush=True)
    time.sleep(0.05)
while not os.path.exists("go"):
    time.sleep(0.05)
    if os.path.exists(f"change-{number + 1}"):
        number += 1
        held = block(number)
        print("changed", number, flush=True)
print("the block is", "right" if held == block(number) else "wrong", flush=True)
sys.exit(7)
"""
SLOW = {"admission": {"bandwidth": "1M"}, "storage": {"local_copies": 0}}  # a block takes seconds, so that there is a middle
FAST = {"storage": {"local_copies": 0}}


def script(mib=2):
    """It holds so much that cannot be compressed."""
    return SCRIPT.replace("SIZE", str(mib))


def expected(changes):
    return [*(f"line {i}" for i in range(1, 31)), *(f"changed {i}" for i in range(1, changes + 1)), "the block is right"]


def when_packed(job, kib):
    """A condition of the shell's: so much of a new pack of JOB's is there."""
    directory = directory_of(job)
    known = " ".join(f"! -name {name}" for name in packs(directory))
    return f'test -n "$(find {seen_by_nodes(directory)}/packs -type f -size +{kib}k {known})"'


def when_indexed(job):
    """The generation under way has an index, which comes after its pack; it may be complete before anybody has seen that."""
    directory = directory_of(job)
    newest = max(path.name for path in directory.glob("inc-*/gen-*"))
    return f"find {seen_by_nodes(directory)}/inc-* -path '*gen-*/index-*' ! -path '*/{newest}/*' | grep --quiet ."


def when_unpacked(job):
    return f"test -n \"$(find /var/spool/slurm-checkpoint/local/{job.id}-*/restore-* -type f -size +1M)\""


class StoreKills(SystemTest):
    @classmethod
    def setUpClass(cls):
        set_policy("n1", "n2", **SLOW)

    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2")

    def tearDown(self):
        if not cluster.is_on("n1"):
            cluster.start_node("n1")

    def saved(self, name, node="n1", mib=2):
        """A job with one generation."""
        job = submit(script(mib), "--checkpoint-interval=none", node=node, name=name)
        job.wait_output("line 30")
        self.create(job, node)
        return job

    def create(self, job, node):
        cluster.run(node, "sckpt", "create", job.id, user=job.user)

    def change(self, job, number):
        """Now much of it is in no generation."""
        job.path(f"change-{number}").touch()
        job.wait_output(f"changed {number}")

    def strike(self, node, victim, when, then="exit"):
        """Have VICTIM on NODE killed as soon as WHEN holds there. What belongs to the job's user, the user kills."""
        kill = f"{'runuser --user alice -- ' if victim == 'ckpt-writer' else ''}pkill -KILL --exact {victim}"
        striking = cluster.background(node, "sh", "-c", f"exec 2>/dev/null; for i in $(seq 1500); do if {when}; then {kill}; {then}; fi; sleep 0.02; done; exit 9")
        self.addCleanup(striking.communicate)
        self.addCleanup(striking.terminate)
        return striking

    def assert_hit(self, striking):
        self.assertEqual(striking.wait(), 0, "killed one")

    def finish(self, job, changes, complaint=None):
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), expected(changes))
        self.assertEqual(untidy(directory_of(job)), [])
        if complaint:
            self.assert_one_complaint(job, complaint)

    def create_and_kill(self, job, victim, when, may_be_late):
        before = len(complaints(job.output()))
        striking = self.strike("n1", victim, when)
        asked = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        if asked.returncode or not may_be_late:
            self.assertNotEqual(asked.returncode, 0, "killed too late")
            self.assert_hit(striking)
        if victim == "ckptd":
            restart_daemon("n1")
        else:
            wait_for("nothing of it is left on the node", lambda: not local_images("n1", job))
        self.assertLessEqual(len(complaints(job.output())), before + (asked.returncode != 0), job.output())

    def test_while_a_checkpoint_is_saved(self):
        job = self.saved("running")
        changes = 0
        for victim in ("ckpt-sealer", "ckpt-writer", "ckptd"):
            for what in ("begun", "pack", "index"):
                with self.subTest(f"{victim}, {what}"):
                    changes += 1
                    self.change(job, changes)
                    when = {"begun": when_packed(job, 0), "pack": when_packed(job, 1024), "index": when_indexed(job)}[what]
                    self.create_and_kill(job, victim, when, may_be_late=what == "index")
        set_policy("n1", **FAST)
        self.addCleanup(set_policy, "n1", **SLOW)
        self.create(job, "n1")
        self.assertEqual(untidy(directory_of(job)), [])
        newest = generations(job)[-1]["generation"]
        requeue(job, to="n2")
        job.wait_output(f"restored generation {newest + 1} ")
        self.finish(job, changes)
        assert_clean(job)

    def test_while_the_last_checkpoint_is_saved(self):
        """What was before it stands, and the job does again what it had done since. Of one job here, and of another one there."""
        ways = (("ckpt-sealer", "n1", "n2"), ("ckpt-writer", "n2", "n1"))
        jobs = [self.saved(f"last-{victim}", node) for victim, node, _ in ways]
        strikes = []
        for job, (victim, node, _) in zip(jobs, ways):
            self.change(job, 1)
            strikes.append(self.strike(node, victim, when_packed(job, 512)))
        jobs[0].as_user("scontrol", "requeuehold", ",".join(job.name for job in jobs))
        for job, striking, (victim, _, to) in zip(jobs, strikes, ways):
            with self.subTest(victim):
                self.assert_hit(striking)
                job.wait_info("is requeued", lambda info: info["JobState"] in ("PENDING", "REQUEUE_HOLD"))
                job.as_user("scontrol", "update", f"JobId={job.id}", f"ReqNodeList={to}")
                job.as_user("scontrol", "release", job.id)
        for job, (victim, _, to) in zip(jobs, ways):
            with self.subTest(victim):
                job.wait_output("restored generation 1 ")
                wait_for(f"{job} changes again", lambda: "changed 1" in job.output().rpartition("restored generation 1 ")[2])
                self.create(job, to)
                self.assertEqual(untidy(directory_of(job)), [])
                self.finish(job, 1, "generation 2 was not saved, earlier ones stand")
        assert_clean(*jobs)

    def test_a_power_loss_while_a_checkpoint_is_saved(self):
        job = self.saved("power", mib=8)  # the power is not cut at once
        self.change(job, 1)
        known = packs(directory_of(job))
        asking = cluster.background("n1", "sckpt", "create", job.id, user=job.user)
        self.addCleanup(asking.communicate)
        wait_for("its pack grows", lambda: any((directory_of(job) / "packs" / name).stat().st_size > 1 << 20 for name in packs(directory_of(job)) - known))
        cluster.kill_node("n1")
        self.assertNotEqual(untidy(directory_of(job)), [])
        job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING", timeout=90)
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        job.wait_running("n2", timeout=90)
        job.wait_output("restored generation 1 ")
        cluster.start_node("n1")
        job.wait_output("changed 1")
        self.create(job, "n2")
        self.assertEqual(untidy(directory_of(job)), [])
        self.finish(job, 1)
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_while_a_restore_unpacks(self):
        """Nobody has to do anything about it; but when it happens twice, the job is held, and goes on when it is released."""
        set_policy("n1", **FAST)
        self.addCleanup(set_policy, "n1", **SLOW)
        victims = ("ckpt-sealer", "ckpt-writer", "ckptd", "ckpt-writer")
        jobs = [submit(script(50), "--checkpoint-interval=none", name=f"unpack-{victim}") for victim in victims]
        for job in jobs:
            job.wait_output("line 30")
        requeue(*jobs, to="n2", hold=True)
        for job, victim in zip(jobs[:3], victims):
            with self.subTest(victim):
                striking = self.strike("n2", victim, when_unpacked(job))
                job.as_user("scontrol", "release", job.id)
                self.assert_hit(striking)
                if victim == "ckptd":
                    restart_daemon("n2")
                job.wait_output("restored generation 1 ")
                self.finish(job, 0)
                self.assertEqual(complaints(job.output()), [])
        with self.subTest("twice"):
            job = jobs[3]
            striking = self.strike("n2", "ckpt-writer", when_unpacked(job), then="true")
            job.as_user("scontrol", "release", job.id)
            info = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Restarts"] == "2" and info["Priority"] == "0")
            self.assertIn("ckpt-writer", " ".join(info.get(key, "") for key in ("Reason", "Comment", "AdminComment")))
            striking.terminate()
            striking.wait()
            job.as_user("scontrol", "release", job.id)
            job.wait_output("restored generation 1 ")
            self.finish(job, 0, "it cannot be told on this node whether there is an earlier checkpoint: .*ckpt-writer.*has ended")
        assert_clean(*jobs)


main()
