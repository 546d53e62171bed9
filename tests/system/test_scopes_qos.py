# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy that differs by QOS and account, which slurmctld knows: Slurm 24.11 does not say the QOS to the nodes."""

import json

from lib import *
from lib.product import policy_text

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
"""
SCOPES = """scopes:
  - match: {qos: "checkpoint_*"}
    defaults: {keep: 3}
  - match: {account: users, qos: checkpoint_high}
    auto: {first: 7m}
  - match: {account: nobodys}
    defaults: {keep: 5}
"""


def explained(job):
    done = cluster.attempt("n1", "sckpt", "explain", job.id, "--json", user=job.user)
    return json.loads(done.stdout)


class ScopesByQos(SystemTest):
    @classmethod
    def setUpClass(cls):
        cluster.run("ctl", "sacctmgr", "--immediate", "add", "qos", "checkpoint_high")
        cls.addClassCleanup(cluster.run, "ctl", "sacctmgr", "--immediate", "delete", "qos", "checkpoint_high")
        cluster.run("ctl", "sacctmgr", "--immediate", "modify", "user", "alice", "set", "qos+=checkpoint_high")

    def test_jobs_of_an_account(self):
        """They say nothing, and are checkpointed."""
        set_policy("ctl", "n1", text=policy_text() + "scopes: [{match: {account: us*}, defaults: {enabled: true}}]\n")
        self.addCleanup(clear_policy, "ctl", "n1")
        job = submit(SCRIPT, "--account=users", name="account")
        job.wait_output("line 20\n")
        self.assertEqual(explained(job)["plan"]["enabled"]["value"], "on")
        self.assertEqual(cluster.attempt("n1", "sckpt", "create", job.id, user=job.user).returncode, 0)
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)

    def test_qos_and_account(self):
        set_policy("ctl", "n1", text=policy_text() + SCOPES)
        self.addCleanup(clear_policy, "ctl", "n1")
        high = submit(SCRIPT, "--checkpoint", "--qos=checkpoint_high", name="high")
        normal = submit(SCRIPT, "--checkpoint", name="normal")
        for job in (high, normal):
            job.wait_output("line 20\n")
        keep = wait_for("ckptd knows the QOS", lambda: (lambda one: one if one["value"] == 3 else None)(explained(high)["plan"]["keep"]))
        self.assertRegex(keep["from"], r"^policy, checkpoint\.yaml:\d+ \(qos checkpoint_\*\)$")
        self.assertIn(explained(high)["next"]["delay"]["value"], range(5 * 60, 7 * 60 + 1))  # from the job's start
        self.assertEqual(explained(normal)["plan"]["keep"], {"value": 2, "from": "built-in"})
        for job in (high, normal):
            job.path("go").touch()
            self.assert_ended(end(job))
        assert_clean(high, normal)


if __name__ == "__main__":
    main()
