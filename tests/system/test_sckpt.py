# SPDX-License-Identifier: GPL-2.0-or-later
"""sckpt list, show and create, for the job's user, for another user and for root."""

import json
import re

from lib import *

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
sckpt create
count line 1 20
gate go
"""


def sckpt(*arguments, user="alice", node="n1"):
    return cluster.attempt(node, "sckpt", *arguments, user=user)


class Sckpt(SystemTest):
    def test_create_list_show(self):
        job = submit(SCRIPT)
        job.wait_output("line 20")
        with self.subTest("create, from inside the job"):
            self.assertIn(f"a checkpoint of job {job.id} begins", application_lines(job.output())[0])
            job.wait_output("generation 1 saved")
        with self.subTest("create, from outside"):
            done = sckpt("create", job.id)
            self.assertEqual((done.returncode, done.stdout), (0, f"generation 2 of job {job.id} saved\n"), done.stderr)
        with self.subTest("list"):
            self.assertEqual([(g["job"], g["generation"], g["verified"]) for g in generations(job)], [(job.id, 1, True), (job.id, 2, True)])
            self.assertEqual(len(sckpt("list", "--job", job.id).stdout.splitlines()), 3)
        with self.subTest("show"):
            self.assertRegex(sckpt("show", job.id).stdout, r"generation 2 of incarnation 0\n.*on_demand|on demand")
            self.assertEqual(json.loads(sckpt("show", "--json", job.id).stdout.splitlines()[0])["job"], job.id)
        with self.subTest("root sees all"):
            self.assertIn(str(job.id), sckpt("list", user="root").stdout)
        with self.subTest("the job's comment"):
            job.wait_info("shows its first one", lambda info: re.search(r"checkpoint: \S+ n1: generation 1 saved, ", info.get("AdminComment", "")))
        with self.subTest("another user"):
            self.assertNotIn(str(job.id), sckpt("list", "--noheader", user="bob").stdout)
            for verb in ("show", "create"):
                done = sckpt(verb, job.id, user="bob")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(f"{job.id}", done.stderr)
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)

    def test_nothing_to_show(self):
        job = submit("#!/bin/sh\ntrue\n")
        self.assert_ended(end(job))
        for verb in ("show", "create"):
            done = sckpt(verb, job.id)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, "^sckpt: error: .*\n$")

    def test_a_store_per_user(self):
        cluster.run("n1", "install", "-d", "-m", "700", "/shared/per-user")
        set_policy("n1", storage={"base": "/shared/per-user/%u"})
        self.addCleanup(clear_policy, "n1")
        job = submit(SCRIPT)
        job.wait_output("generation 1 saved")
        self.assertTrue(list(cluster.shared("/shared/per-user/alice").glob(f"*/{job.id}-*")))
        self.assertEqual([g["job"] for g in generations(job)], [job.id])
        self.assertIn(str(job.id), sckpt("list", "--user", "alice", user="root").stdout)
        self.assertNotIn(str(job.id), sckpt("list", "--noheader", user="bob").stdout)
        self.assertNotIn(str(job.id), sckpt("list", "--noheader", "--user", "alice", user="bob").stdout)
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)

    def test_a_store_that_cannot_be_read_is_an_error(self):
        key = "/etc/slurm/checkpoint.key"
        cluster.run("ctl", "mv", key, f"{key}.away")
        self.addCleanup(cluster.run, "ctl", "mv", f"{key}.away", key)
        done = sckpt("list", node="ctl")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"^sckpt: error: .*key.* \[CKPT-604\]\n$")


main()
