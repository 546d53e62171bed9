# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs that have ended are gone on from: an array's element alone, one that keeps its checkpoints elsewhere, and never two at a time
unless that is said."""

import os

from lib import *
from lib.store import directory_of

ELSEWHERE = "/shared/elsewhere"
SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
sckpt create
count line 1 10
gate go
echo "end of ${SLURM_ARRAY_TASK_ID:-no element}"
"""


def sckpt(*arguments, user="alice"):
    return cluster.attempt("n1", "sckpt", *arguments, user=user)


def when_ended(job, *arguments):
    """The finished `sckpt restart`, when slurmctld has cleaned up after the job."""
    def told():
        done = sckpt("restart", *arguments)
        return done if "is just ending" not in done.stderr else None

    return wait_for(f"{job} is cleaned up", told)


def is_held(info):
    return info["JobState"] == "PENDING" and info["Priority"] == "0" and "CKPT-" in info.get("AdminComment", "")


class GoingOn(SystemTest):
    def test_one_element_of_an_array(self):
        array = submit(SCRIPT, "--array=1-3", "--job-name=an array", output="/home/alice/going_on/element-%a.out", name="array")
        elements = [array_element(array, i) for i in (1, 2, 3)]
        for element in elements:
            element.wait_output("generation 1 saved")
        with self.subTest("named as Slurm names it"):
            self.assertRegex(sckpt("show", f"{array.id}_2").stdout, rf"^job {elements[1].id} of alice ")
            done = sckpt("show", f"{array.id}_9")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"squeue -o %A.*\[CKPT-101\]\n$")
            done = attempt_submit(SCRIPT, f"--checkpoint-restore={array.id}_2")
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"squeue -o %A.*\[CKPT-101\]")
        array.as_user("scancel", str(array.id))
        for element in elements:
            element.wait_info("is cancelled", lambda info: info["JobState"] == "CANCELLED")
        with self.subTest("by its number"):
            done = when_ended(elements[0], "--dry-run", elements[0].id)
            self.assertRegex(done.stdout, rf"--checkpoint-restore={elements[0].id} '--job-name=an array' --array=1 <<", done.stderr)
        done = when_ended(elements[2], f"{array.id}_3", "--", "--nodelist=n1", f"--chdir={array.directory}", "--output=on.out")
        self.assertEqual(done.returncode, 0, done.stderr)
        on = Job(done.stdout.strip(), array.directory, f"{array.directory}/on.out", "alice", f"{done.stdout.strip()}_3")
        on.wait_output("restored generation 1")
        self.assertEqual(cluster.run("ctl", "squeue", "--noheader", "--array", "--user=alice", "--format=%i %j"), f"{on.id}_3 an array\n")
        array.path("go").touch()
        self.assert_ended(end(on))
        self.assertEqual(application_lines(on.output())[-1], "end of 3")
        assert_clean(*elements, on)

    def test_two_at_a_time(self):
        job = submit(SCRIPT, name="twice")
        job.wait_output("generation 1 saved")
        job.as_user("scancel", job.name)
        end(job)
        on = self.go_on(job, "first")
        on.wait_output("restored generation 1")
        reason = f"job {on.id} goes on from job {job.id} already, and has not ended"
        with self.subTest("sckpt says it at once"):
            done = when_ended(job, job.id)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"^sckpt: error: {reason}; .*{job.id}@GENERATION \[CKPT-505\]\n$")
        second = self.go_on(job, "second")
        with self.subTest("the second one is held, and released in vain"):
            self.assertIn(reason, second.wait_info("is held", is_held)["AdminComment"])
            second.as_user("scontrol", "release", second.name)
            second.wait_info("starts", lambda info: not is_held(info))
            second.wait_info("is held again", is_held)
        with self.subTest("root would run alice's script as root"):
            for option in ((), ("--dry-run",)):
                done = sckpt("restart", *option, f"{job.id}@1", user="root")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"job {job.id} is alice's.*sudo -u alice sckpt restart.* {job.id}@1 \[CKPT-303\]\n$")
        with self.subTest("who names the generation means it"):
            meant = self.go_on(job, "meant", "@1")
            meant.wait_output("restored generation 1")
        job.path("go").touch()
        for one in (on, meant):
            self.assert_ended(end(one))
        with self.subTest("one after the other"):
            second.as_user("scontrol", "release", second.name)
            self.assert_ended(end(second))
            self.assertIn("restored generation 1", second.output())
        assert_clean(job, on, meant, second)

    def test_what_is_not_there(self):
        job = submit(SCRIPT, "--checkpoint-restore=1@7", name="nothing")
        comment = job.wait_info("is held", is_held)["AdminComment"]
        self.assertRegex(comment, r"checkpoint: job 1 of yours has no generation 7; .*\[CKPT-505\]")
        job.as_user("scancel", job.name)
        end(job)
        for verb in ("verify", "show"):
            done = sckpt(verb, 1)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"^sckpt: error: no checkpoint of job 1; .*--dir=DIR.* \[CKPT-304\]\n$")
        assert_clean(job)

    def test_checkpoints_elsewhere(self):
        cluster.run("n1", "install", "-d", "-m", "700", "-o", "alice", ELSEWHERE)
        self.addCleanup(cluster.run, "n1", "rm", "-rf", ELSEWHERE)
        set_policy("n1", "ctl", limits={"min_interval": "1s", "directories": f"[{ELSEWHERE}]"}, retention={"after_end": "1s"})
        self.addCleanup(clear_policy, "n1", "ctl")
        job = submit(SCRIPT, f"--checkpoint-dir={ELSEWHERE}", name="elsewhere")
        job.wait_output("generation 1 saved")
        there = f"--dir={ELSEWHERE}"
        with self.subTest("seen only there"):
            done = sckpt("list", "--noheader", job.id)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, rf"^sckpt: warning: no checkpoint of job {job.id}; .*--dir=DIR")
            self.assertRegex(sckpt("list", "--noheader", job.id, there).stdout, rf"^{job.id} ")
            self.assertRegex(sckpt("show", job.id, there).stdout, "generation 1 of incarnation 0")
            self.assertEqual(sckpt("verify", job.id, there).returncode, 0)
        with self.subTest("and only by its user and root"):
            self.assertNotIn(str(job.id), sckpt("list", "--noheader", there, user="bob").stdout)
            self.assertRegex(sckpt("list", there, user="root").stderr, r"--user=NAME.*\[CKPT-101\]\n$")
            self.assertIn(str(job.id), sckpt("list", there, "--user=alice", user="root").stdout)
        with self.subTest("within what policy allows"):
            done = sckpt("list", "--dir=/etc")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"^sckpt: error: --dir: .*allowed are directories below: {ELSEWHERE} \[CKPT-101\]\n$")
        job.as_user("scancel", job.name)
        end(job)
        with self.subTest("what prune would remove"):
            wait_for("it is old enough", lambda: str(job.id) in sckpt("prune", "--dry-run", there).stdout)
            self.assertNotIn(str(job.id), sckpt("prune", "--dry-run").stdout)
        with self.subTest("restart"):
            self.assertRegex(when_ended(job, job.id).stderr, r"has no checkpoint to go on from; .*--dir=DIR.* \[CKPT-304\]\n$")
            done = sckpt("restart", job.id, there, "--", "--nodelist=n1", f"--chdir={job.directory}", "--output=on.out")
            self.assertEqual(done.returncode, 0, done.stderr)
        on = Job(done.stdout.strip(), job.directory, f"{job.directory}/on.out", "alice")
        on.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(on))
        assert_clean(job, on)

    def test_a_pipe_in_the_place_of_a_directory(self):
        job = submit(SCRIPT, name="pipe")
        job.wait_output("generation 1 saved")
        job.as_user("scancel", job.name)
        end(job)
        directory = directory_of(job)
        (directory / "inc-0").rename(directory / "aside")
        os.mkfifo(directory / "inc-0")
        for verb in ("list", "verify"):
            done = sckpt(verb, "--noheader", job.id)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, rf"^{job.id} +0 +- .*BAD")
            self.assertRegex(done.stderr, r"\[CKPT-603\]\n$")
        assert_clean(job)

    def go_on(self, job, name, generation=""):
        return submit(SCRIPT, f"--checkpoint-restore={job.id}{generation}", name=name)


main()
