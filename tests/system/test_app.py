# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that save themselves: --checkpoint-method=app:SIG. They are asked when they are to make room, and their script starts again from
the beginning and has them go on; what they do not do in time is said, and changes nothing."""

import re

from lib import *
from lib.product import STORE

LAST = 100
LIFE = """#!/bin/bash
echo "life restarted=${SLURM_CHECKPOINT_RESTARTED:-no} generation=$SLURM_CHECKPOINT_GENERATION"
echo "$SLURM_CHECKPOINT_DIR" >>directories
"""
ENDS = LIFE + f"""/shared/programs/saves_itself.py work {LAST} ends | tee -a copy
echo "status ${{PIPESTATUS[0]}}"
exit 3
"""
APP = "--checkpoint-method=app:USR1"


def steps(first, last):
    return [f"work step {i}" for i in range(first, last + 1)]


def saved_at(job):
    """How far the program was each time it saved itself."""
    return [int(each) for each in re.findall(r"^work saved at (\d+)$", job.output(), re.MULTILINE)]


class App(SystemTest):
    def expected(self, stops):
        """The output of a job whose program saved itself and ended at these steps."""
        lines, first = [], 1
        for life, stop in enumerate([*stops, None]):
            lines += [f"life restarted={'1' if life else 'no'} generation={life}", *steps(first, stop or LAST)]
            if stop:
                lines += [f"work saved at {stop}"]
                first = stop + 1
        return [*lines, "status 0"]

    def assert_exact(self, job, lives):
        """The script never came to its next line before its program had come to its end; its directory was always the same."""
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "3:0")
        self.assertEqual(info["Restarts"], str(lives - 1))
        stops = saved_at(job)
        self.assertEqual(len(stops), lives - 1)
        self.assertEqual(application_lines(job.output()), self.expected(stops))
        directories = job.path("directories").read_text().splitlines()
        self.assertEqual(len(directories), lives)
        self.assertEqual(set(directories), {directories[0]})
        self.assertRegex(directories[0], f"^{STORE}/{job.user}/app/[^/]+/{job.id}-[0-9a-f]{{8}}$")
        assert_clean(job)
        return directories[0]

    def test_requeued(self):
        job = submit(ENDS, APP, node="n1", name="requeued")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        job.wait_output("work step 50\n")
        requeue(job, to="n1")
        job.wait_output("life restarted=1 generation=2\n")
        directory = self.assert_exact(job, 3)
        self.assertEqual(complaints(job.output()), [
            f"started again, to go on from generation {life}, which the program has saved" for life in (1, 2)])
        # It failed: what it has noted stays, as what a checkpoint would be.
        self.assertEqual(cluster.read("n1", f"{directory}/generation"), "2\n")
        self.assertEqual(generations(job), [])

    def test_preempted(self):
        job = submit(ENDS, APP, "--partition=requeued", node="n1", name="preempted")
        job.wait_output("work step 10\n")
        urgent = submit("#!/bin/bash\necho here\n", "--partition=urgent", "--exclusive", node="n1", name="urgent")
        self.assert_ended(end(urgent))
        job.wait_output("life restarted=1 generation=1\n", timeout=90)
        self.assert_exact(job, 2)

    def test_time_limit(self):
        job = submit(ENDS, APP, "--time=1", node="n1", name="limit")
        self.assertIn("the program is asked to save itself at half the time limit of 1m", job.advice)
        job.wait_output("life restarted=1 generation=1\n", timeout=120)
        self.assertEqual(job.info()["Restarts"], "1")
        self.assert_exact(job, 2)
        self.assertIn("the job is requeued before its time limit and will go on from generation 1", job.output())

    def test_a_script_with_a_trap(self):
        """It is asked, and tells its program; what it ends with is not the job's end."""
        script = LIFE + f"""trap 'kill -USR1 $program; wait $program; exit 0' USR1
/shared/programs/saves_itself.py work {LAST} ends &
program=$!
wait $program
echo "status $?"
exit 3
"""
        job = submit(script, APP, "--time=1", node="n2", name="trap")
        job.wait_output("life restarted=1 generation=1\n", timeout=120)
        self.assert_exact(job, 2)

    def test_a_trap_that_tells_its_srun(self):
        """And waits for it; its task gets the signal once."""
        script = LIFE + f"""trap 'kill -USR1 $program; wait $program; exit 0' USR1
srun --ntasks=1 /shared/programs/saves_itself.py work {LAST} ends &
program=$!
wait $program
echo "status $?"
exit 3
"""
        job = submit(script, APP, node="n1", name="trap-srun")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        self.assert_exact(job, 2)

    def test_requeued_on_demand_with_sruns(self):
        """The end of an srun whose program has saved itself is kept from the script, however the messages about it cross: in each job."""
        script = LIFE + f"srun --ntasks=1 /shared/programs/saves_itself.py work {LAST} ends\necho \"status $?\"\nexit 3\n"
        jobs = [submit(script, APP, "--mem=100", node="n1", name=f"srun{i}") for i in range(10)]
        for job in jobs:
            job.wait_output("work step 5\n")
        for job in jobs:
            done = cluster.attempt("n1", "sckpt", "requeue", job.id, user=job.user)
            self.assertEqual((done.returncode, done.stdout), (0, f"generation 1 of {job} saved, and the job is requeued\n"), done.stderr)
        for job in jobs:
            job.wait_output("life restarted=1 generation=1\n")
            job.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job), "FAILED", "3:0")
            self.assertEqual(job.info()["Restarts"], "1")
            self.assertEqual(application_lines(job.output()),
                             self.expected(saved_at(job)))
        assert_clean(*jobs)

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

    def test_a_shell_that_cleans_up_is_not_the_program(self):
        script = LIFE + f"trap 'echo cleaned' EXIT\n/shared/programs/saves_itself.py work {LAST} ends\nexit 3\n"
        job = submit(script, APP, node="n1", name="cleanup")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "3:0")
        self.assertEqual(application_lines(job.output()), [*self.expected(saved_at(job))[:-1], "cleaned"])
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

    def test_lammps(self):
        """With restart files of its own; its script has a trap that tells it with a file."""
        script = """#!/bin/bash
rm -f stop
trap 'touch stop' USR1
lmp -in /shared/programs/melt_saves_itself.in -var restarted ${SLURM_CHECKPOINT_RESTARTED:-0} &
while kill -0 $! 2>/dev/null; do wait $!; done
[[ -e stop ]] && exit 0
echo the end
"""
        job = submit(script, APP, node="n1", name="lammps")
        reference = submit(script, APP, node="n2", name="reference")
        reference.path("go").touch()
        job.wait_file("held", lines=0)
        requeue(job, to="n2")
        job.wait_output("started again, to go on from generation 1")
        job.path("go").touch()
        self.assert_ended(end(job, timeout=120))
        self.assert_ended(end(reference, timeout=120))
        self.assertEqual(job.output().count("\nthe end\n"), 1)
        # LAMMPS itself does not go on from its restart files bit by bit.
        final, expected = ([[float(each) for each in line.split()] for line in one.path("final").read_text().splitlines()[9:]]
                           for one in (job, reference))
        self.assertEqual(len(final), 2048)
        for atom, same in zip(final, expected):
            for value, wanted in zip(atom, same):
                self.assertAlmostEqual(value, wanted, delta=1e-4)
        assert_clean(job, reference)


main()
