# SPDX-License-Identifier: GPL-2.0-or-later
"""The policy is broken: where it is read for the first time jobs run without checkpoints and say so; where an older one is in
force it stays in force; and sbatch submits."""

from lib import *
from lib.product import POLICY_FILE

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, 21)]
BROKEN = "version: 1\nlimits:\n  min_intervall: 1s\n"


class BrokenPolicy(SystemTest):
    @classmethod
    def tearDownClass(cls):
        clear_policy("ctl", "n1", "n2")

    def assert_runs(self, job):
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        assert_clean(job)

    def test_on_the_node(self):
        for kind, text in {"mistake": BROKEN, "not YAML": "{[", "binary": "\x00\x01"}.items():
            with self.subTest(kind):
                set_policy("n1", text=text)
                job = submit(SCRIPT, "--checkpoint-interval=1s")
                self.assert_runs(job)
                self.assert_one_complaint(job, r"checkpoint\.yaml:\d+:\d+.*without checkpoints")

    def test_writable_by_others(self):
        clear_policy("n1")
        cluster.run("n1", "chmod", "666", POLICY_FILE)
        self.addCleanup(cluster.run, "n1", "chmod", "644", POLICY_FILE)
        cluster.service("n1", "ckptd", "restart")
        job = submit(SCRIPT, "--checkpoint-interval=1s")
        self.assert_runs(job)
        self.assert_one_complaint(job, r"checkpoint\.yaml.*lets others than root write.*without checkpoints")

    def test_a_running_daemon_keeps_the_old_one(self):
        clear_policy("n2")
        cluster.write("n2", POLICY_FILE, BROKEN)
        cluster.run("n2", "pkill", "-HUP", "--exact", "ckptd")
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n2")
        job.wait_output("generation 1 saved")
        self.assert_runs(job)
        self.assertEqual(complaints(job.output()), [])

    def test_at_submit(self):
        set_policy("ctl", text=BROKEN)
        clear_policy("n1")
        job = submit(SCRIPT, "--checkpoint-interval=1s")
        self.assertRegex(job.advice, r"checkpoint\.yaml:3:3")
        self.assert_runs(job)


main()
