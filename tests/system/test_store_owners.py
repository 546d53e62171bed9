# SPDX-License-Identifier: GPL-2.0-or-later
"""alice and bob on one store: each has a directory of their own in it, which the other can neither look into nor put in place."""

import os
import stat

from lib import *
from lib.product import STORE

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
secret=$(printf 'alices %s' "secret $SLURM_JOB_ID")
sckpt create
count line 1 20
gate go
echo "$secret"
"""
EXPECTED = [f"line {i}" for i in range(1, 21)]
ALICES = f"{STORE}/alice"


def attempt(*argv, node="n1", script=""):
    return cluster.attempt(node, *argv, user="bob", input=script)


def lines_of(job):
    """Without what the script's sckpt says, which is the first."""
    said = (f"generation 1 of job {job.id} saved", "sckpt: error: no checkpoint was taken; ")
    return [line for line in application_lines(job.output()) if not line.startswith(said)]


class Owners(SystemTest):
    def finish(self, job):
        """Untouched by whatever was tried."""
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(lines_of(job), [*EXPECTED, f"alices secret {job.id}"])
        assert_clean(job)

    def saved(self):
        """A job of alice's with one generation."""
        job = submit(SCRIPT)
        job.wait_output("line 20")
        job.wait_output("generation 1 saved")
        return job

    def assert_denied(self, *argv):
        done = attempt(*argv)
        self.assertNotEqual(done.returncode, 0, argv)
        self.assertRegex(done.stderr, "(Permission denied|Operation not permitted)", argv)

    def test_the_directory_is_its_users(self):
        job = self.saved()
        status = cluster.shared(ALICES).stat()
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (2001, 0o700))
        owners = {os.lstat(os.path.join(parent, name)).st_uid for parent, dirs, files in os.walk(cluster.shared(ALICES)) for name in dirs + files}
        self.assertEqual(owners, {2001})
        self.assertEqual(cluster.shared(STORE).stat().st_uid, 0)
        self.finish(job)

    def test_another_user_reads_and_replaces_nothing(self):
        job = self.saved()
        before = sorted(str(path) for path in cluster.shared(ALICES).rglob("*"))
        inside = "/shared/checkpoints/alice" + before[-1].partition("/checkpoints/alice")[2]
        for argv in (("ls", ALICES), ("cat", inside), ("mv", ALICES, f"{STORE}/away"), ("mv", ALICES, "/shared/scratch/bob/"), ("rm", "-r", ALICES),
                     ("ln", "-s", "/shared/scratch/bob", f"{ALICES}/x"), ("ln", "-sfn", "/shared/scratch/bob", ALICES), ("mkdir", f"{STORE}/carol")):
            with self.subTest(argv):
                self.assert_denied(*argv)
        self.assertEqual(sorted(str(path) for path in cluster.shared(ALICES).rglob("*")), before)
        self.finish(job)

    def test_another_user_is_told_nothing(self):
        job = self.saved()
        for argv in (("list", "--noheader"), ("list", "--noheader", "--user", "alice"), ("list", "--noheader", "--job", str(job.id)),
                     ("show", str(job.id)), ("show", "--user", "alice", str(job.id)), ("explain", str(job.id)), ("create", str(job.id))):
            with self.subTest(argv):
                done = attempt("sckpt", *argv)
                self.assertNotIn("incarnation", done.stdout)
                self.assertNotIn(str(job.id), done.stdout)
                if argv[0] != "list":
                    self.assertNotEqual(done.returncode, 0)
        self.assertEqual([g["generation"] for g in generations(job)], [1])
        self.finish(job)

    def test_another_user_restores_nothing(self):
        """Be it that the option is refused, or that the job is held: bob gets nothing of what alice's job has in its memory."""
        job = self.saved()
        done = attempt("sh", "-c", 'cd && exec sbatch --parsable --checkpoint --checkpoint-restore="$1" --output=stolen.out', "sh", str(job.id),
                       script="#!/bin/sh\nsleep 1\n")
        if done.returncode:
            self.assertRegex(done.stderr, r"--checkpoint-restore.*\[CKPT-\d+\]")
        else:
            stolen = Job(done.stdout.strip(), "/home/bob", "/home/bob/stolen.out", "bob")
            info = stolen.wait_info("is held or has ended", lambda info: info["JobState"] in ("FAILED", "CANCELLED") or info["Priority"] == "0")
            said = " ".join(info.get(key, "") for key in ("Reason", "Comment", "AdminComment")) + stolen.output()
            self.assertRegex(said, r"\[CKPT-\d+\]")
            self.assertNotIn("alices secret", stolen.output())
            self.assertNotIn("line ", "\n".join(application_lines(stolen.output())))
            cluster.attempt("ctl", "scancel", stolen.name)
        self.finish(job)

    def test_a_user_who_removes_the_own_store(self):
        """All generations are gone, which hurts nobody: the next checkpoint is the first, or one line says why there is none."""
        job = self.saved()
        self.assertTrue(list(cluster.shared(ALICES).iterdir()))
        cluster.run("n1", "sh", "-c", f"rm -rf {ALICES}/*", user="alice")
        self.assertEqual(list(cluster.shared(ALICES).iterdir()), [])
        done = cluster.attempt("n1", "sckpt", "create", job.id, user="alice")
        if done.returncode:
            self.assertRegex(done.stderr, r"^sckpt: error: .*\[CKPT-\d+\]\n$")
        else:
            requeue(job, to="n2")
            job.wait_output("restored generation ")
        self.finish(job)


class TakenNames(SystemTest):
    """On a base in which anybody may make directories, somebody was there before."""

    BASE = "/shared/scratch"  # 1777, root's

    @classmethod
    def setUpClass(cls):
        set_policy("n1", "n2", "ctl", storage={"base": f"{cls.BASE}/stores-%u"})

    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2", "ctl")

    def run_with(self, *command):
        """alice's job while COMMAND of bob's has taken the name of her directory."""
        place = f"{self.BASE}/stores-alice"
        self.assertFalse(os.path.lexists(cluster.shared(place)))
        cluster.run("n1", *command, user="bob")
        self.addCleanup(cluster.run, "n1", "rm", "-rf", place)
        job = submit(SCRIPT)
        job.wait_output("line 20")
        wait_for(f"{job} complains", lambda: complaints(job.output()))
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(lines_of(job), [*EXPECTED, f"alices secret {job.id}"])
        self.assertIn("sckpt: error: no checkpoint was taken; ", job.output())
        self.assert_one_complaint(job, r"stores-alice.*\[CKPT-\d+\]")
        assert_clean(job)

    def test_a_directory_of_somebody_elses(self):
        self.run_with("mkdir", "-m", "777", f"{self.BASE}/stores-alice")
        self.assertEqual(list(cluster.shared(f"{self.BASE}/stores-alice").iterdir()), [])

    def test_a_link_of_somebody_elses(self):
        target = "/shared/scratch/bob/trap"
        cluster.run("n1", "install", "-d", "-m", "777", target, user="bob")
        cluster.run("n1", "chmod", "711", "/shared/scratch/bob", user="bob")
        self.addCleanup(cluster.run, "n1", "sh", "-c", "chmod 700 /shared/scratch/bob; rm -rf /shared/scratch/bob/trap")
        self.run_with("ln", "-s", target, f"{self.BASE}/stores-alice")
        self.assertEqual(list(cluster.shared(target).iterdir()), [])

    def test_a_link_to_a_directory_of_the_users_own(self):
        """Even that is somebody else's choice of a place."""
        target = "/shared/scratch/alice/mine"
        cluster.run("n1", "mkdir", "-m", "700", target, user="alice")
        self.addCleanup(cluster.run, "n1", "rm", "-rf", target)
        self.run_with("ln", "-s", target, f"{self.BASE}/stores-alice")
        self.assertEqual(list(cluster.shared(target).iterdir()), [])


main()
