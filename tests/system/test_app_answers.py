# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs that save themselves (--checkpoint-method=app:SIG) answer when they are asked: a marker, an end, a death, nothing. And
what sbatch says where nobody could be asked."""

from lib import *
from lib.app import APP, LAST, LIFE, steps


class AppAnswers(SystemTest):
    def test_one_that_dies_has_not_saved_itself(self):
        """As the script's own process, and as a task of srun."""
        for name, start in (("own", "exec"), ("task", "srun --ntasks=1")):
            with self.subTest(name):
                job = submit(f"#!/bin/bash\n{start} /shared/programs/saves_itself.py work {LAST} crashes\n", APP, node="n1", name=name)
                job.wait_output("work step 5\n")
                done = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn("the program was killed, or died, while it was to save itself", done.stderr)
                end(job)
                self.assertNotIn("saved by the program", job.output())
                assert_clean(job)

    def test_a_marker_that_stays(self):
        """It is not taken for the program's word; nobody is asked, and one line says why."""
        script = LIFE + f"mkdir $SLURM_CHECKPOINT_MARKER\n/shared/programs/saves_itself.py work {LAST} marks\nrmdir $SLURM_CHECKPOINT_MARKER\n"
        job = submit(script, APP, node="n1", name="stays")
        job.wait_output("work step 5\n")
        done = cluster.attempt("n1", "sckpt", "requeue", job.id, user=job.user)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the marker of an earlier time cannot be removed", done.stderr)
        self.assertFalse(job.path("work.restart").exists())
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(job.info()["Restarts"], "0")
        self.assertEqual(application_lines(job.output()), ["life restarted=no generation=0", *steps(1, LAST)])
        assert_clean(job)

    def test_success_leaves_nothing(self):
        script = LIFE + 'echo "$SLURM_CHECKPOINT_MARKER" >"$SLURM_CHECKPOINT_DIR/$1"\nuntil [[ -e go ]]; do sleep 0.1; done\n'
        jobs = [submit(script.replace("$1", file), APP, name=file) for file in ("saved", "mine")]
        for job in jobs:
            job.wait_output("life restarted=no generation=0\n")
            job.wait_file("directories")
            job.path("go").touch()
            self.assert_ended(end(job))
            self.assertEqual(complaints(job.output()), [])
        left = [cluster.attempt("n1", "ls", job.path("directories").read_text().strip()) for job in jobs]
        self.assertNotEqual(left[0].returncode, 0, left[0].stdout)
        self.assertEqual(left[1].stdout, "mine\n")  # the user's own
        assert_clean(*jobs)

    def test_marker(self):
        """At an interval and on demand the program goes on."""
        job = submit(LIFE + f"/shared/programs/saves_itself.py work {LAST} marks\necho the end\n", APP, "--checkpoint-interval=2s", name="marker")
        job.wait_output("checkpoint: generation 2 saved by the program\n")
        done = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^generation \d+ of job \d+ saved\n$")
        # The program has gone on meanwhile: it goes on from what it has saved last.
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=")
        job.path("go").touch()
        self.assert_ended(end(job))
        lines = application_lines(job.output())
        self.assertEqual(lines[-1], "the end")
        life = [line.startswith("life") for line in lines].index(True, 1)
        self.assertEqual(lines[1:life], steps(1, life - 1))
        second = lines[life + 1:-1]
        self.assertEqual(second, steps(LAST + 1 - len(second), LAST))
        self.assertLessEqual(LAST + 1 - len(second), life)
        assert_clean(job)

    def test_silent(self):
        """The program neither ends nor makes its marker: the job runs on, and its shell with it."""
        set_policy("n1", app={"patience": "4s"})
        self.addCleanup(clear_policy, "n1")
        script = LIFE + f"/shared/programs/saves_itself.py work {LAST} silent | cat\necho \"status ${{PIPESTATUS[0]}}\"\nexit 3\n"
        job = submit(script, APP, "--time=1", node="n1", name="silent")
        job.wait_output("work step 10\n")
        done = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("asked with SIGUSR1 to save itself, the program has neither ended nor made its marker within 4s; "
                      "without a marker nobody can tell whether it has saved itself [CKPT-406]", done.stderr)
        wait_for("it is asked before its time limit", lambda: len(complaints(job.output())) == 2, timeout=90)
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "3:0")
        self.assertEqual(application_lines(job.output()), ["life restarted=no generation=0", *steps(1, LAST), "status 0"])
        self.assertEqual(complaints(job.output())[1], "asked with SIGUSR1 to save itself, the program has neither ended nor made its "
                                                      "marker within 4s [CKPT-406]; the job runs on")
        assert_clean(job)

    def test_nobody_handles_it(self):
        script = LIFE + "sleep 1000 & program=$!\nuntil [[ -e go ]]; do sleep 0.1; done\nkill $program\nexit 3\n"
        job = submit(script, "--checkpoint-method=app:USR2", node="n1", name="deaf")
        job.wait_output("life")
        done = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertIn("no process of the job handles SIGUSR2, so none was sent", done.stderr)
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "3:0")
        self.assert_one_complaint(job, "no process of the job handles SIGUSR2, so none was sent; see docs/app.md .CKPT-407.; the job runs on")
        assert_clean(job)

    def test_cancelled_it_gets_its_sigterm(self):
        script = LIFE + "trap 'echo terminated; exit 0' TERM\ntrap 'echo asked' USR1\nwhile :; do sleep 0.1; done\n"
        job = submit(script, APP, node="n1", name="cancelled")
        job.wait_output("life")
        job.as_user("scancel", job.name)
        self.assertEqual(end(job)["JobState"], "CANCELLED")
        job.wait_output("terminated")
        self.assertNotIn("asked", job.output())
        assert_clean(job)

    def test_refused_at_submit(self):
        for options, line in (
                (("--checkpoint-method=app:",), 'app:" lacks the signal'),
                (("--checkpoint-method=app:NOPE",), '"NOPE" is not a signal'),
                (("--checkpoint-method=app:KILL",), '"KILL" cannot be caught by any program'),
                (("--checkpoint-method=app:STOP",), '"STOP" cannot be caught by any program'),
                (("--checkpoint-method=app:CONT",), '"CONT" already has a meaning for jobs'),
                ((APP, "--checkpoint-signal=USR1"), "name another signal for one of them [CKPT-102]"),
                ((APP, "--checkpoint-files=copy"), "leave --checkpoint-files=copy out, or the method [CKPT-102]"),
                ((APP, "--checkpoint-restore=1"), "nothing of job 1 can be restored")):
            with self.subTest(options):
                done = attempt_submit("#!/bin/sh\n", *options)
                self.assertEqual((done.returncode != 0, done.stdout), (True, ""))
                self.assertIn(line, done.stderr)
        done = cluster.attempt("ctl", "salloc", APP, "true", user="alice")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("has no effect in an allocation of salloc; submit a batch script with sbatch [CKPT-102]", done.stderr)


main()
