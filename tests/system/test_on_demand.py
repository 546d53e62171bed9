# SPDX-License-Identifier: GPL-2.0-or-later
"""A checkpoint when somebody asks for it: the user by a signal or with sckpt, from anywhere, and the program itself; after it the job
runs on, is requeued, or gives its nodes up."""

from lib import *

SIGNALLED = """#!/bin/bash
. /shared/programs/gate.sh
trap 'echo "the script has seen SIGUSR1"' USR1
{ trap 'echo "a program has seen SIGUSR1"' USR1; count line 1 20; gate go; count line 21 40; } & wait $!
echo "the end"
"""
STEP = """#!/bin/bash
srun --ntasks=2 --label /bin/bash -c '. /shared/programs/gate.sh; trap "echo a task has seen SIGUSR1" USR1; count line 1 10; gate go'
echo "the end"
"""
ASKING = """#!/bin/bash
/shared/programs/ask 9
echo "the end"
"""
TOGETHER = """#!/bin/bash
for i in 1 2 3 4; do /shared/programs/ask 4 >part$i & done
wait
echo "the end"
"""
KEEPS_A_CONNECTION = """#!/bin/bash
coproc /shared/programs/hold_connections.py 1
read -ru "${COPROC[0]}"
sckpt create 2>refused
echo "status $?"
exec {COPROC[1]}>&-
wait
sckpt create >/dev/null
echo "status $?"
"""
COUNTS = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
count line 21 40
"""
NONE = "--checkpoint-interval=none"


def sckpt(*arguments, user="alice", node="n1"):
    return cluster.attempt(node, "sckpt", *arguments, user=user)


def lines(first, last):
    return [f"line {i}" for i in range(first, last + 1)]


class OnDemand(SystemTest):
    def test_signal(self):
        job = submit(SIGNALLED, "--checkpoint-signal=USR1", NONE)
        job.wait_output("line 20")
        for number, option in ((1, "--batch"), (2, "--full")):
            job.as_user("scancel", option, "--signal=USR1", job.id)
            job.wait_output(f"generation {number} saved")
        requeue(job, to="n2")
        wait_restored(job, 1)
        job.as_user("scancel", "--batch", "--signal=USR1", job.id)
        job.wait_output("generation 4 saved")  # 3: before the requeue
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*lines(1, 40), "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_signal_to_steps(self):
        """As scancel sends it without --batch: to the tasks of steps, of which none sees it."""
        job = submit(STEP, "--checkpoint-signal=USR1", "--ntasks=2", NONE)
        job.wait_output("0: line 10")
        job.wait_output("1: line 10")
        job.as_user("scancel", "--signal=USR1", job.id)
        job.wait_output("generation 1 saved")
        job.path("go").touch()
        self.assert_ended(end(job))
        text = application_lines(job.output())
        self.assertEqual(text.pop(), "the end")
        for task in ("0", "1"):
            self.assertEqual([line for line in text if line.startswith(f"{task}: ")], [f"{task}: {line}" for line in lines(1, 10)])
        self.assertEqual(len(text), 20)
        assert_clean(job)

    def test_program_asks(self):
        """At a safe point: the call returns when all is saved, or in the restored program."""
        job = submit(ASKING, NONE)
        job.wait_output("after step 6: saved")
        job.as_user("scontrol", "requeue", job.id)
        job.wait_info("is requeued", lambda info: info["JobState"] in ("PENDING", "REQUEUED"))
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        job.wait_running("n2")
        # It goes on where it was when the requeue came, which is behind the call.
        wait_restored(job, 1)
        job.as_user("scancel", job.id)
        end(job)
        again = submit(ASKING, f"--checkpoint-restore={job.id}@2", node="n1")
        self.assert_ended(end(again))
        steps = application_lines(job.output())
        self.assertEqual(steps, ["step 1", "step 2", "step 3", "after step 3: saved", "step 4", "step 5", "step 6", "after step 6: saved"])
        self.assertEqual(application_lines(again.output()), ["after step 6: restored", "step 7", "step 8", "step 9", "the end"])
        assert_clean(job, again)

    def test_programs_ask_together(self):
        """Four at the same time: none is in the way of the others' checkpoint, and each is told."""
        job = submit(TOGETHER, NONE)
        self.assert_ended(end(job))
        for part in range(1, 5):
            text = job.path(f"part{part}").read_text().splitlines()
            self.assertEqual(text, ["step 1", "step 2", "step 3", "after step 3: saved", "step 4"])
        self.assertEqual(complaints(job.output()), [])
        self.assertEqual(application_lines(job.output()), ["the end"])
        assert_clean(job)

    def test_a_connection_that_is_kept(self):
        """It cannot be saved, and keeps nobody of the job waiting for ever."""
        job = submit(KEEPS_A_CONNECTION, NONE)
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["status 1", "status 0"])
        self.assertIn("no checkpoint was taken", job.path("refused").read_text())
        assert_clean(job)

    def test_from_a_login_node(self):
        """Where no ckptd knows the job: sckpt finds its way there."""
        job = submit(COUNTS, NONE, node="n2")
        job.wait_output("line 20")
        for number, node in ((1, "ctl"), (2, "n1")):
            done = sckpt("create", job.id, node=node)
            self.assertEqual((done.returncode, done.stdout), (0, f"generation {number} of job {job.id} saved\n"), done.stderr)
        with self.subTest("in a loop that reads"):
            loop = f"printf '{job.id}\n{job.id}\n' | while read -r id; do sckpt create $id; done"
            self.assertEqual(cluster.attempt("ctl", "sh", "-c", loop, user="alice").stdout,
                             "".join(f"generation {number} of job {job.id} saved\n" for number in (3, 4)))
        with self.subTest("root is told where"):
            done = sckpt("create", job.id, node="ctl", user="root")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"^sckpt: error: job {job.id} runs on n2; run sckpt create there \[CKPT-304\]$")
        self.assertIn(f"job {job.id} on n2, ", sckpt("explain", job.id, node="ctl").stdout)
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), lines(1, 40))
        assert_clean(job)

    def test_several_at_once(self):
        jobs = [submit(COUNTS, NONE, node=node, name=node) for node in ("n1", "n2")]
        for job in jobs:
            job.wait_output("line 20")
        done = sckpt("create", jobs[0].id, 999999, jobs[1].id, node="ctl")
        self.assertEqual((done.returncode, done.stdout.splitlines()), (1, [f"generation 1 of job {job.id} saved" for job in jobs]))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("slurmctld does not know job 999999", done.stderr)
        for job in jobs:
            job.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job))
        assert_clean(*jobs)

    def test_one_job_steers_another(self):
        """The one that is named, never the one that asks."""
        other = submit(COUNTS, NONE, node="n2", name="other")
        other.wait_output("line 20")
        job = submit(f"#!/bin/bash\nsckpt create {other.id}\nsckpt create 999999\nsckpt create\n", NONE, name="steers")
        self.assert_ended(end(job))
        lines_of_it = [line for line in application_lines(job.output()) if line]
        self.assertEqual(lines_of_it[0], f"generation 1 of job {other.id} saved")
        self.assertIn("slurmctld does not know job 999999", lines_of_it[1])
        self.assertEqual(lines_of_it[2:], [f"generation 1 of job {job.id} saved"])
        self.assertEqual(len(generations(other)), 1)
        other.path("go").touch()
        self.assert_ended(end(other))
        assert_clean(job, other)

    def test_requeue_and_vacate(self):
        """Nothing is printed between the checkpoint and the end; both go on to the last line."""
        requeued, vacated = submit(COUNTS, NONE, name="requeued"), submit(COUNTS, NONE, name="vacated")
        for job in (requeued, vacated):
            job.wait_output("line 20")
        done = sckpt("requeue", requeued.id)
        self.assertEqual((done.returncode, done.stdout), (0, f"generation 1 of job {requeued.id} saved, and the job is requeued\n"), done.stderr)
        done = sckpt("vacate", vacated.id)
        self.assertEqual((done.returncode, done.stdout), (0, f"generation 1 of job {vacated.id} saved, and the job has ended\n"), done.stderr)
        self.assertEqual(end(vacated)["JobState"], "CANCELLED")
        wait_restored(requeued, 1)
        done = cluster.attempt("ctl", "sckpt", "restart", vacated.id, "--", f"--chdir={vacated.directory}", "--output=on.out", user="alice")
        self.assertEqual(done.returncode, 0, done.stderr)
        goes_on = Job(done.stdout.split()[-1], vacated.directory, f"{vacated.directory}/on.out", "alice")
        for job in (requeued, vacated):
            job.path("go").touch()
        self.assert_ended(end(requeued))
        self.assert_ended(end(goes_on))
        self.assertEqual(application_lines(requeued.output()), lines(1, 40))
        self.assertEqual(application_lines(vacated.output()) + application_lines(goes_on.output()), lines(1, 40))
        self.assertIn("the job is requeued on demand and will go on from generation 1", product_lines(requeued.output()))
        self.assertIn(f"the job gives its nodes up; `sckpt restart {vacated.id}` goes on from generation 1", product_lines(vacated.output()))
        assert_clean(requeued, vacated, goes_on)

    def test_disable_and_enable(self):
        job = submit(COUNTS, "--checkpoint-interval=1s")
        job.wait_output("generation 1 saved")
        done = sckpt("disable", job.id, node="ctl")
        self.assertEqual((done.returncode, done.stdout), (0, f"checkpoints of job {job.id} are switched off\n"), done.stderr)
        self.assertIn("switched off", sckpt("create", job.id).stderr)
        taken = generations(job)[-1]["generation"]
        cluster.service("n1", "ckptd", "restart")  # which forgets nothing
        wait_for("ckptd knows the job", lambda: "switched off" in sckpt("create", job.id).stderr)
        self.assertEqual(sckpt("enable", job.id).returncode, 0)
        job.wait_output(f"generation {taken + 1} saved")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), lines(1, 40))
        assert_clean(job)

    def test_refusals(self):
        """Each says why, and changes nothing."""
        job = submit(COUNTS, "--no-requeue", NONE)
        plain = submit(COUNTS.replace("line", "plain"), name="plain", prefix=("SBATCH_CHECKPOINT=off",))
        pending = submit(COUNTS, "--checkpoint", "--hold", name="pending")
        for one, text in ((job, "line 20"), (plain, "plain 20")):
            one.wait_output(text)
        for verb in ("create", "vacate", "requeue", "disable", "enable"):
            for user, node, number, words in (("bob", "n1", job.id, "is not yours"), ("bob", "ctl", job.id, "is not yours"),
                                              ("alice", "n1", plain.id, "is checkpointed on this node"), ("alice", "ctl", pending.id, "it is pending"),
                                              ("alice", "ctl", 999999, "slurmctld does not know job 999999"),
                                              ("alice", "ctl", "x", '"x" is not a job id'), ("alice", "n1", "0", '"0" is not a job id'),
                                              ("alice", "n1", "99999999999", '"99999999999" is not a job id')):
                done = sckpt(verb, number, user=user, node=node)
                self.assertEqual(done.returncode, 1, f"{verb} {number} of {user}: {done.stdout}")
                self.assertIn(words, done.stderr)
                ours = [line for line in done.stderr.splitlines() if not line.startswith("srun: ")]  # which takes it there
                self.assertEqual(len(ours), 1, done.stderr)
                self.assertRegex(ours[0], r"^sckpt: error: .*\[CKPT-\d+\]$")
        for verb, words in ((("creat", job.id), '"creat" is not a verb of sckpt; did you mean "create"'), ((), "a verb is missing"), (("",), '"" is not a verb')):
            done = sckpt(*verb)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
        done = sckpt("requeue", job.id)
        self.assertEqual(done.returncode, 1)
        self.assertIn("may not be requeued", done.stderr)
        self.assertEqual(generations(job), [])
        for one in (job, plain, pending):
            one.path("go").parent.mkdir(exist_ok=True)
            one.path("go").touch()
        pending.as_user("scancel", pending.id)
        self.assert_ended(end(job))
        self.assert_ended(end(plain))
        self.assertEqual(application_lines(job.output()), lines(1, 40))
        assert_clean(job, plain)

    def test_refused_at_submit(self):
        """A typing error costs a line and nothing else."""
        before = cluster.run("ctl", "squeue", "--noheader", "--states=all", "--user=alice", "--format=%A")
        for option, words in (("--checkpoint-signal=NOPE", '"NOPE" is not a signal'), ("--checkpoint-signal=KILL", "cannot be caught"),
                              ("--checkpoint-signal=STOP", "cannot be caught"), ("--checkpoint-signal=TERM", '"TERM" already has a meaning for jobs'),
                              ("--checkpoint-on=nonsense", '"nonsense"'), ("--checkpoint-on=requeue,nonsense", '"nonsense"'),
                              ("--checkpoint-interval=-1", '"-1"'), ("--checkpoint-interval=soon", '"soon"')):
            with self.subTest(option):
                done = attempt_submit("#!/bin/sh\n", option)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, "")
                self.assertIn(words, done.stderr)
                self.assertIn("accepted: ", done.stderr)
        self.assertEqual(cluster.run("ctl", "squeue", "--noheader", "--states=all", "--user=alice", "--format=%A"), before)


if __name__ == "__main__":
    main()
