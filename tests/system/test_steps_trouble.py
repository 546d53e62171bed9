# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps of a checkpointed job when something happens to them, to srun, to ckptd or to the node; and the ways to a forced end that are
not a requeue."""

import re

from lib import *
from lib.product import restart_daemon

COUNT = ". /shared/programs/gate.sh; count"
SCRIPT = f"""#!/bin/bash
srun --ntasks=1 bash -c '{COUNT} line 1 60; gate go; exit 3' | tee copy
echo "status ${{PIPESTATUS[0]}}"
exit 7
"""
ONE_HAS_ENDED = f"""#!/bin/bash
srun --ntasks=2 bash -c '{COUNT} "task $SLURM_PROCID line" 1 $((1 + 59 * SLURM_PROCID)); [ $SLURM_PROCID = 0 ] || gate go; exit $((5 - SLURM_PROCID))'
echo "status $?"
"""
KILLED = f"""#!/bin/bash
srun --ntasks=1 bash -c '{COUNT} first 1 2; exec sleep 1000' &
pid=$!
. /shared/programs/gate.sh
gate kill
kill -9 $pid
wait $pid
echo "killed: $?"
srun --ntasks=1 --overlap bash -c 'echo second'
srun --ntasks=1 --overlap --job-name=third bash -c 'echo third; exec sleep 1000' 2>/dev/null
echo "cancelled: $?"
"""
TWO_SRUNS_AT_ONCE = f"""#!/bin/bash
for i in 1 2 3 4; do
    srun --ntasks=1 --overlap bash -c '{COUNT} '$i' 1 30; echo "end '$i'"' >out-$i &
done
wait
cat out-1 out-2 out-3 out-4
. /shared/programs/gate.sh
gate go
"""
BETWEEN = """#!/bin/bash
. /shared/programs/gate.sh
echo before
gate go
srun --ntasks=1 sh -c 'echo "step of $SLURM_JOB_ID"'
echo "status $?"
"""
CLEANS_UP = """#!/bin/bash
trap 'srun --overlap --ntasks=1 true || echo "no step"; echo "cleaned up"; exit 0' TERM
echo ready
while :; do sleep 0.1; done
"""
# Its tasks wait in their prolog, registered with ckptd and not yet asking it what to start.
WAITS_IN_PROLOG = f"""#!/bin/bash
cat >prolog <<END
#!/bin/sh
echo "\$SLURM_PROCID" >>$PWD/in-prolog
until [ -e $PWD/begin ]; do sleep 0.05; done
END
chmod +x prolog
srun --ntasks=2 --task-prolog=$PWD/prolog bash -c '{COUNT} "task $SLURM_PROCID line" 1 60; gate go'
echo "status $?"
. /shared/programs/gate.sh
count after 1 60
gate last
"""
EXPECTED = [*(f"line {i}" for i in range(1, 61)), "status 3"]


class StepsTrouble(SystemTest):
    def tearDown(self):
        if not cluster.is_on("n1"):
            cluster.start_node("n1")

    def finish(self, job, restarts="1"):
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "7:0")
        self.assertEqual(info["Restarts"], restarts)
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(job.path("copy").read_text().splitlines(), EXPECTED[:-1])

    def test_the_time_limit(self):
        job = submit(SCRIPT, "--checkpoint", "--time=10", node="n1", name="limit")
        job.wait_output("line 20\n")
        cluster.run("ctl", "scontrol", "update", f"JobId={job.id}", "EndTime=now+2seconds")
        job.wait_output("restored generation 1 ", timeout=120)
        self.finish(job)
        assert_clean(job)

    def test_a_lost_node(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", node=None, name="node")
        job.wait_output("generation 2 saved")
        self.assertEqual(job.info()["BatchHost"], "n1", "Slurm takes the first node")
        cluster.kill_node("n1")
        job.wait_running("n2", timeout=90)
        cluster.start_node("n1")
        job.wait_output("restored generation ")
        self.finish(job)
        assert_clean(job)

    def test_ckptd_started_anew(self):
        job = submit(SCRIPT, "--checkpoint", node="n1", name="daemon")
        job.wait_output("line 10\n")
        restart_daemon("n1")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        restart_daemon("n1")
        job.wait_output("line 30\n")
        requeue(job, to="n2")
        job.wait_output("restored generation 2 ")
        self.finish(job)
        assert_clean(job)

    def test_another_job_goes_on(self):
        job = submit(SCRIPT, "--checkpoint-interval=none", node="n1", name="source")
        job.wait_output("line 20\n")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        job.as_user("scancel", job.id)
        self.assertEqual(end(job)["JobState"], "CANCELLED")
        assert_clean(job)
        other = submit(SCRIPT, f"--checkpoint-restore={job.id}", node="n2", name="other")
        other.wait_output(f"restored generation 1 of job {job.id} ")
        requeue(other, to="n1")
        wait_for(f"{other} is restored twice", lambda: other.output().count("restored generation") == 2)
        job.path("go").touch()  # the program is where it was
        info = end(other)
        self.assert_ended(info, "FAILED", "7:0")
        self.assertEqual(application_lines(other.output())[-1], "status 3")
        self.assertEqual(job.path("copy").read_text().splitlines(), EXPECTED[:-1])
        assert_clean(other)

    def test_two_jobs_go_on_side_by_side(self):
        """From a checkpoint in which no srun was under way: each has its own from then on."""
        source = submit(BETWEEN, "--checkpoint-interval=none", node="n1", name="between")
        source.wait_output("before\n")
        cluster.run("n1", "sckpt", "create", source.id, user=source.user)
        source.as_user("scancel", source.id)
        self.assertEqual(end(source)["JobState"], "CANCELLED")
        jobs = [submit(BETWEEN, f"--checkpoint-restore={source.id}@1", node="n2", name=f"beside-{number}") for number in (1, 2)]
        for job in jobs:
            job.wait_output(f"restored generation 1 of job {source.id} ")
        source.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job))
            self.assertEqual(application_lines(job.output())[-2:], [f"step of {job.id}", "status 0"])
        assert_clean(source, *jobs)

    def test_a_failure_after_sigterm_is_told(self):
        """The script cleans up, and no step can be had any more."""
        jobs = [submit(CLEANS_UP, *options, node="n1", name=name) for name, options in (("cleans-natively", ()), ("cleans", ("--checkpoint",)))]
        for job in jobs:
            job.wait_output("ready\n")
            job.as_user("scancel", job.id)
            self.assertEqual(end(job)["JobState"], "CANCELLED")
        self.assertEqual(*(application_lines(job.output()) for job in jobs))
        self.assertEqual(application_lines(jobs[1].output())[-1], "cleaned up")
        assert_clean(*jobs)

    def test_one_task_has_ended(self):
        reference = submit(ONE_HAS_ENDED, "--ntasks=2", node="n2", name="ended-reference")
        job = submit(ONE_HAS_ENDED, "--checkpoint", "--ntasks=2", node="n1", name="ended")
        job.wait_output("task 1 line 30\n")
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        for one in (job, reference):
            one.path("go").touch()
            self.assert_ended(end(one))
        self.assertEqual(sorted(application_lines(job.output())), sorted(application_lines(reference.output())))
        self.assertIn("status 5", job.output())
        assert_clean(job, reference)

    def test_a_step_that_began_without_ckptd(self):
        """It runs without checkpoints; what it writes is never written twice, and when it has ended the job is saved again."""
        job = submit(WAITS_IN_PROLOG, "--checkpoint-interval=1s", "--ntasks=2", node="n1", name="without")
        job.wait_file("in-prolog", lines=2)
        cluster.run("n1", "pkill", "-STOP", "--exact", "ckptd")
        try:
            job.path("begin").touch()
            for task in (0, 1):
                job.wait_output(f"task {task} line 5\n")
        finally:
            cluster.run("n1", "pkill", "-CONT", "--exact", "ckptd")
        refused = cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"a step of the job runs without checkpoints: .*could not be asked when it began.*\[CKPT-403\]")
        self.assertNotIn(" saved, ", job.output())
        job.path("go").touch()
        job.wait_output("after 10\n")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        requeue(job, to="n2")
        job.wait_output("restored generation ")
        job.path("last").touch()
        self.assert_ended(end(job))
        lines = application_lines(job.output())
        for task in (0, 1):
            self.assertEqual([line for line in lines if line.startswith(f"task {task} ")], [f"task {task} line {i}" for i in range(1, 61)])
        self.assertEqual([line for line in lines if not line.startswith("task ")], ["status 0", *(f"after {i}" for i in range(1, 61))])
        assert_clean(job)

    def test_killed_and_cancelled_as_natively(self):
        jobs = [submit(KILLED, *options, node="n1", name=name) for name, options in (("native", ()), ("managed", ("--checkpoint",)))]
        for job in jobs:
            job.wait_output("first 2\n")
            job.path("kill").touch()
            job.wait_output("third\n")
            steps = cluster.run("ctl", "squeue", "--steps", "--noheader", f"--jobs={job.id}", "--format=%i %j")
            step = next(line.split()[0] for line in steps.splitlines() if line.endswith(" third"))
            job.as_user("scancel", step)
            self.assert_ended(end(job))
        self.assertEqual(*([line for line in application_lines(job.output()) if not re.search(r"line \d+: +\d+ Killed", line)] for job in jobs))
        self.assertEqual(complaints(jobs[1].output()), [])
        assert_clean(*jobs)

    def test_four_at_once(self):
        job = submit(TWO_SRUNS_AT_ONCE, "--checkpoint", node="n1", name="four")
        for number in (1, 2, 3, 4):
            job.wait_file(f"out-{number}", lines=8)
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()),
                         [line for number in (1, 2, 3, 4) for line in (*(f"{number} {i}" for i in range(1, 31)), f"end {number}")])
        assert_clean(job)

    def test_two_users_on_a_node(self):
        jobs = [submit(SCRIPT, "--checkpoint", node="n1", user=user, name=f"of-{user}") for user in ("alice", "bob")]
        for job in jobs:
            job.wait_output("line 10\n")
        for job in jobs:
            requeue(job, to="n2")
        for job in jobs:
            job.wait_output("restored generation 1 ")
            self.finish(job)
        assert_clean(*jobs)


main()
