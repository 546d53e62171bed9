# SPDX-License-Identifier: GPL-2.0-or-later
"""bob stops each ckpt-writer that runs as him, as he may: his checkpoint fails with a clear line, and nobody but him waits for it."""

from lib import *
from lib.store import directory_of

SCRIPT = """#!/usr/bin/python3
import os, time
held = b""
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
    if os.path.exists("change") and not held:
        held = os.urandom(8 << 20)
        print("changed", flush=True)
print("the end", flush=True)
"""
STOPPER = 'exec 2>/dev/null; until test -e "$0"; do pkill -STOP --exact ckpt-writer; sleep 0.01; done; pkill -CONT --exact ckpt-writer; true'


class StoppedWriter(SystemTest):
    def started(self, user, name):
        """A job of USER's with one generation."""
        job = submit(SCRIPT, "--checkpoint-interval=none", name=name, user=user)
        job.wait_output("ready")
        cluster.run("n1", "sckpt", "create", job.id, user=user)
        return job

    def finish(self, job, expected):
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), expected)

    def test_only_its_user_waits(self):
        bobs, alices, over = self.started("bob", "stopped"), self.started("alice", "not-held-up"), self.started("alice", "over")
        over.as_user("scancel", over.name)
        end(over)
        stays = directory_of(over)
        bobs.path("change").touch()
        bobs.wait_output("changed")
        calm = bobs.path("calm")
        stopper = cluster.background("n1", "sh", "-c", STOPPER, f"{bobs.directory}/calm", user="bob")
        self.addCleanup(stopper.communicate)
        self.addCleanup(stopper.terminate)
        # Bob comes first in each round.
        set_policy("n1", admission={"bandwidth": "1M"}, retention={"after_end": "1s", "every": "2s"})
        self.addCleanup(clear_policy, "n1")
        asking = cluster.background("n1", "sckpt", "create", bobs.id, user="bob")
        self.addCleanup(asking.communicate)
        self.addCleanup(asking.terminate)
        wait_for("a writer of bob's is stopped", lambda: "T" in cluster.attempt("n1", "ps", "-o", "state=", "-C", "ckpt-writer").stdout)
        cluster.run("n1", "sckpt", "create", alices.id, user="alice")
        self.assertIsNone(asking.poll(), "bob's was stopped")
        with self.subTest("what is given up"):
            wait_for("bob is told", lambda: asking.poll() is not None, timeout=120)
            self.assertNotEqual(asking.returncode, 0)
            self.assert_one_complaint(bobs, r"ckpt-writer.* does not answer.*generation 2 was not saved")
        with self.subTest("the round goes on"):
            wait_for("what is alice's and over has gone", lambda: not stays.exists(), timeout=120)
        calm.touch()
        self.assertEqual(stopper.wait(), 0)
        with self.subTest("the next checkpoint"):
            cluster.run("n1", "sckpt", "create", bobs.id, user="bob")
            self.assertEqual([one["generation"] for one in generations(bobs)], [1, 3])
        self.finish(bobs, ["ready", "changed", "the end"])
        self.finish(alices, ["ready", "the end"])
        assert_clean(bobs, alices)


main()
