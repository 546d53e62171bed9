# SPDX-License-Identifier: GPL-2.0-or-later
"""sckpt list, show, create and explain, for the job's user, for another user and for root."""

import json
import math
import re

from lib import *
from lib.product import STORE

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
            self.assertEqual(f"generation 1 of job {job.id} saved", application_lines(job.output())[0])
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

    def test_explain(self):
        set_policy("n1", limits={"min_interval": "1s", "max_keep": 3}, time_limit={"safety": 2, "reserve": "20s"})
        self.addCleanup(clear_policy, "n1")
        job = submit("#!/bin/bash\n. /shared/programs/gate.sh\necho started\ngate go\n",
                     "--checkpoint-keep=5", "--checkpoint-on=timelimit", "--time=10")
        job.wait_output("started")

        def explained():
            """Lines of the policy, which the tests may change, are called N."""
            return json.loads(re.sub(r"checkpoint\.yaml:\d+", "checkpoint.yaml:N", sckpt("explain", "--json", job.id).stdout))

        with self.subTest("the plan, and who decided it"):
            plan = explained()["plan"]
            self.assertEqual(plan["keep"], {"value": 3, "from": "limit of policy, checkpoint.yaml:N"})
            self.assertEqual(plan["on"], {"value": "timelimit", "from": "user"})
            self.assertEqual(plan["dir"], {"value": f"{STORE}/alice", "from": "policy, checkpoint.yaml:N"})
            self.assertEqual(plan["interval"], {"value": "auto", "from": "built-in"})
        with self.subTest("the interval"):
            parts = {name: one["value"] for name, one in explained()["interval"].items()}
            self.assertEqual((parts["pause"], parts["nodes"], parts["least"]), (1, 1, 1))
            self.assertGreaterEqual(parts["interval"], max(parts["optimum"], parts["affordable"]))
        with self.subTest("the last checkpoint"):
            parts = explained()["time_limit"]
            self.assertEqual(parts["safety"], {"value": 2, "from": "policy time_limit.safety, checkpoint.yaml:N"})
            self.assertEqual(parts["reserve"], {"value": 20, "unit": "s", "from": "policy time_limit.reserve, checkpoint.yaml:N"})
            self.assertEqual(parts["dump_rate"]["from"], "assumed, not yet measured")
            self.assertGreater(parts["memory"]["value"], 100_000)
            self.assertLess(parts["memory"]["value"], 1_000_000_000)
            self.assertEqual(parts["dump"]["value"], parts["memory"]["value"] / 200e6)
            self.assertEqual(parts["margin"]["value"], math.ceil(2 * (parts["dump"]["value"] + parts["commit"]["value"]) + 20 + parts["place"]["value"]))
            ends = cluster.run("ctl", "date", "--date", job.info()["EndTime"], "+%s")
            self.assertEqual(parts["ends"]["value"], int(ends))
            self.assertEqual(parts["taken"]["value"], parts["ends"]["value"] - parts["margin"]["value"])
        with self.subTest("as a table"):
            text = sckpt("explain", job.id).stdout
            self.assertRegex(text, rf"^job {job.id} on n1, incarnation 0\n\nSTATE +VALUE +FROM\ncheckpoints +on\nnewest +none\nerror +none +of the newest attempt\n\nPLAN +VALUE +FROM\n")
            self.assertRegex(text, r"\nkeep +3 +limit of policy, checkpoint\.yaml:\d+\n")
            self.assertRegex(text, r"\nreserve +20 s +policy time_limit.reserve, checkpoint\.yaml:\d+\n")
        with self.subTest("what was measured"):
            self.assertEqual(sckpt("create", job.id).returncode, 0)
            self.assertEqual(explained()["time_limit"]["dump_rate"]["from"], "measured on this job")
            self.assertEqual(explained()["interval"]["pause"]["from"], "measured on this job, in whole seconds")
        with self.subTest("root, too"):
            self.assertEqual(sckpt("explain", job.id, user="root").returncode, 0)
        with self.subTest("another user"):
            done = sckpt("explain", job.id, user="bob")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, f"^sckpt: error: job {job.id} is not yours; ")
        with self.subTest("another node"):
            self.assertIn(f"job {job.id} on n1, ", sckpt("explain", job.id, node="n2").stdout)
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)

    def test_nothing_to_show(self):
        job = submit("#!/bin/sh\ntrue\n")
        self.assert_ended(end(job))
        for verb in ("show", "create", "explain"):
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
