# SPDX-License-Identifier: GPL-2.0-or-later
"""A job that has a checkpoint starts where it cannot be restored: it is held with a reason that its user sees, never started from
zero over its output, and goes on exactly where it was once the cause is gone."""

import re

from lib import *
from lib.product import restart_daemon, wait_for_daemon
from lib.store import directory_of

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
echo "started"
count line 1 60
gate go
exit 7
"""
EXPECTED = ["started", *(f"line {i}" for i in range(1, 61))]
KEY = "/etc/slurm/checkpoint.key"


class NoWayToRestore(SystemTest):
    """Each cause on n2 alone, one after the other, with a job of its own; all are requeued at once to wait for Slurm together."""

    @classmethod
    def setUpClass(cls):
        names = ("daemon", "key", "criu", "tampered")
        cls.jobs = {name: submit(SCRIPT, "--checkpoint", name=name) for name in names}
        for job in cls.jobs.values():
            job.wait_output("line 10")
        requeue(*cls.jobs.values(), to="n2", hold=True)
        cls.before = {name: application_lines(job.output()) for name, job in cls.jobs.items()}

    def assert_held_until(self, name, repair, reason):
        job = self.jobs[name]
        job.as_user("scontrol", "release", job.id)
        # Held again: pending, with priority 0, after a second start.
        info = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Restarts"] == "2" and info["Priority"] == "0")
        said = " ".join(info.get(key, "") for key in ("Reason", "Comment", "AdminComment"))
        self.assertRegex(said, reason, info)
        self.assertEqual(application_lines(job.output()), self.before[name])
        wait_for(f"{job} says so", lambda: re.search(reason, "\n".join(complaints(job.output()))))
        repair()
        cluster.run("ctl", "scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        cluster.run("ctl", "scontrol", "release", job.id)
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        assert_clean(job)

    def test_daemon_down(self):
        cluster.service("n2", "ckptd", "stop")

        def repair():
            cluster.service("n2", "ckptd", "start")
            wait_for_daemon("n2")

        self.addCleanup(cluster.service, "n2", "ckptd", "restart")
        self.assert_held_until("daemon", repair, "ckptd|daemon")

    def test_key_missing(self):
        def restore_key():
            cluster.run("n2", "sh", "-c", f"test ! -e {KEY}.away || mv {KEY}.away {KEY}")
            restart_daemon("n2")

        cluster.run("n2", "mv", KEY, f"{KEY}.away")
        self.addCleanup(restore_key)
        restart_daemon("n2")
        self.assert_held_until("key", restore_key, "key")

    def test_criu_broken(self):
        cluster.run("n2", "install", "-m", "755", "/shared/programs/criu-fails.sh", "/usr/local/sbin/criu-fails")
        set_policy("n2", engine={"criu": "/usr/local/sbin/criu-fails"})
        self.addCleanup(clear_policy, "n2")
        self.assert_held_until("criu", lambda: clear_policy("n2"), "CRIU|criu|restore")

    def test_images_tampered_with(self):
        """Every file of the generation but its manifest; more of it than can be put right."""
        directory = directory_of(self.jobs["tampered"])
        files = [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size and path.name != "manifest"]
        self.assertTrue(files)
        originals = {path: path.read_bytes() for path in files}
        for path, data in originals.items():
            path.write_bytes(bytes(byte ^ 1 for byte in data))

        def repair():
            for path, data in originals.items():
                path.write_bytes(data)

        self.assert_held_until("tampered", repair, "altered|can be restored")


main()
