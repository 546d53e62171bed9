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

    def test_qos_and_account(self):
        set_policy("ctl", "n1", text=policy_text() + SCOPES)
        self.addCleanup(clear_policy, "ctl", "n1")
        high = submit(SCRIPT, "--checkpoint", "--qos=checkpoint_high", name="high")
        normal = submit(SCRIPT, "--checkpoint", name="normal")
        for job in (high, normal):
            job.wait_output("line 20\n")
        keep = wait_for("ckptd knows the QOS", lambda: (lambda one: one if one["value"] == 3 else None)(explained(high)["plan"]["keep"]))
        self.assertRegex(keep["from"], r"^policy, checkpoint\.yaml:\d+ \(qos checkpoint_\*\)$")
        self.assertEqual(explained(high)["next"]["delay"]["value"], 7 * 60)
        self.assertEqual(explained(normal)["plan"]["keep"], {"value": 2, "from": "built-in"})
        for job in (high, normal):
            job.path("go").touch()
            self.assert_ended(end(job))
        assert_clean(high, normal)


if __name__ == "__main__":
    main()
