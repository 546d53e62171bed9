# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy that differs by partition, user and account, drop-in files, and a reload without a restart: what is in force, and from where."""

import json

from lib import *
from lib.product import POLICY_FILE, policy_text

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
count line 21 40
"""
EXPECTED = [f"line {i}" for i in range(1, 41)]
DROP_INS = "/etc/slurm/checkpoint.d"
SCOPES = """scopes:
  - match: {partition: requeued}
    defaults: {enabled: true, keep: 1}
  - match: {user: bob, partition: "re*"}
    defaults:
      enabled: false
  - match: {constraint: nothing}
    defaults: {keep: 3}
"""


def plan_of(job, node="n1"):
    """{name: (value, from)} of `sckpt explain`, by its user."""
    done = cluster.attempt(node, "sckpt", "explain", job.id, "--json", user=job.user)
    return {name: (entry["value"], entry["from"]) for name, entry in json.loads(done.stdout)["plan"].items()}


def reload(*nodes):
    for node in nodes:
        cluster.run(node, "pkill", "-HUP", "--exact", "ckptd")


class Scopes(SystemTest):
    def setUp(self):
        self.addCleanup(clear_policy, "ctl", "n1", "n2")

    def finish(self, job, restarts):
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["Restarts"], restarts)
        self.assertEqual(application_lines(job.output()), EXPECTED)
        assert_clean(job)

    def test_jobs_that_say_nothing(self):
        """A partition whose jobs are checkpointed unless somebody says otherwise: they need no option at all."""
        set_policy("ctl", "n1", "n2", text=policy_text() + SCOPES)
        job = submit(SCRIPT, "--partition=requeued", name="scoped")
        other = submit(SCRIPT, name="other")
        bobs = submit(SCRIPT, "--partition=requeued", name="bobs", user="bob")
        for one in (job, other, bobs):
            one.wait_output("line 20\n")
        first = len(policy_text().splitlines()) + 3
        plan = plan_of(job)
        self.assertEqual(plan["enabled"], ("on", f"policy, checkpoint.yaml:{first} (partition requeued)"))
        self.assertEqual(plan["keep"], (1, f"policy, checkpoint.yaml:{first} (partition requeued)"))
        self.assertEqual(plan["on"], ("timelimit,preempt,requeue,drain", "built-in"))
        for one in (other, bobs):
            self.assertIn("is checkpointed on this node", cluster.attempt("n1", "sckpt", "explain", one.id, user=one.user).stderr)
        requeue(job, to="n2")
        wait_restored(job, 1)
        self.finish(job, "1")  # while the others run, in which nothing of ours is: assert_clean() would tell
        for one in (other, bobs):
            self.finish(one, "0")
            self.assertEqual(complaints(one.output()), [])

    def test_a_limit_of_a_scope(self):
        set_policy("ctl", "n1", text=policy_text() + "scopes: [{match: {user: [carol, alice]}, limits: {max_keep: 3}}]\n")
        job = submit(SCRIPT, "--checkpoint-keep=9")
        self.assertIn("--checkpoint-keep: 9 is more than policy allows, 3 is used (limits.max_keep)", job.advice)
        job.wait_output("line 20\n")
        value, origin = plan_of(job)["keep"]
        self.assertEqual(value, 3)
        self.assertRegex(origin, r"^limit of policy, checkpoint\.yaml:\d+ \(user carol\|alice\)$")
        self.finish(job, "0")

    def test_drop_ins_and_a_reload(self):
        """A good one is in force at the next job; a bad one changes nothing, and says what is wrong with it."""
        self.addCleanup(cluster.run, "n1", "rm", "-rf", DROP_INS)
        cluster.run("n1", "mkdir", "-p", DROP_INS)
        cluster.write("n1", f"{DROP_INS}/10-site.yaml", "version: 1\ndefaults: {keep: 4}\n")
        reload("n1")

        def keep_of_a_job():
            job = submit(SCRIPT, "--checkpoint", name="dropin")
            job.wait_output("line 20\n")
            keep = plan_of(job)["keep"]
            self.finish(job, "0")
            return keep

        wait_for("the drop-in is in force", lambda: keep_of_a_job() == (4, "policy, 10-site.yaml:2"))
        self.assertIn("checkpoint.yaml: good", cluster.run("n1", "sckpt", "policy", "check"))
        cluster.write("n1", f"{DROP_INS}/20-bad.yaml", "version: 1\ndefaults:\n  kep: 5\n")
        checked = cluster.attempt("n1", "sckpt", "policy", "check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn(f'{DROP_INS}/20-bad.yaml:3:3: unknown key "kep" in defaults', checked.stderr)
        self.assertIn('did you mean "keep"', checked.stderr)
        reload("n1")
        self.assertEqual(keep_of_a_job(), (4, "policy, 10-site.yaml:2"))


if __name__ == "__main__":
    main()
