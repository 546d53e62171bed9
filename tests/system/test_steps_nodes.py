# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts whose steps run on several nodes at once: one consistent cut of all of them, or none; and on whatever nodes the job gets next
each task goes on where it was."""

import itertools
import os
import random

from lib import *
from lib.product import restart_daemon

COUNT = ". /shared/programs/gate.sh; count"
SCRIPT = f"""#!/bin/bash
srun --ntasks=2 --ntasks-per-node=1 bash -c '{COUNT} "task $SLURM_PROCID line" 1 80; gate go; exit 4' | tee copy
echo "status ${{PIPESTATUS[0]}}"
exit 7
"""
ALONE = f"""#!/bin/bash
for task in 0 1 2; do
    srun --ntasks=1 --nodes=1 --exclusive bash -c '{COUNT} "part '$task' line" 1 60; gate go' >part-$task &
done
wait
cat part-0 part-1 part-2
"""
LOOP = """#!/bin/bash
total=0
for i in $(seq 1 16); do
    total=$((total + i))
    srun --nodes=$((1 + i % 2)) --ntasks=$((1 + i % 2)) bash -c 'sleep 0.$SLURM_PROCID; echo "round $0 task $SLURM_PROCID"; sleep 0.2; exit $SLURM_PROCID' $i | tee -a copy
    echo "status ${PIPESTATUS[0]} total $total"
done
"""
ALLREDUCE = """#!/bin/bash
mpiexec.hydra -n 2 -ppn 1 /shared/programs/allreduce.mpich 1500 result
"""

SEED = int(os.environ.get("CKPT_SEED", "7"))
OPTIONS = ("--nodes=2", "--ntasks=2", "--ntasks-per-node=1")


def in_order(lines):
    """Two tasks of a round may write in any order, which is theirs."""
    return [line for _, some in itertools.groupby(lines, lambda line: line.split(" task ")[0]) for line in sorted(some)]


def lines_of(output, word):
    return [line for line in application_lines(output) if line.startswith(word)]


class StepsOnNodes(SystemTest):
    def move(self, job, to):
        """Requeue JOB; it starts again on the nodes TO."""
        requeue(job, to=to, wait=False)
        job.wait_info(f"runs on {to}", lambda info: info["JobState"] == "RUNNING" and info["NodeList"] == to)

    def finish(self, job, restarts):
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "7:0")
        self.assertEqual(info["Restarts"], restarts)
        for task in (0, 1):
            expected = [f"task {task} line {i}" for i in range(1, 81)]
            self.assertEqual(lines_of(job.output(), f"task {task} "), expected)
            self.assertEqual(lines_of(job.path("copy").read_text(), f"task {task} "), expected)
        self.assertEqual(application_lines(job.output())[-1], "status 4")
        assert_clean(job)

    def finish_without_complaints(self, job, restarts):
        self.finish(job, restarts)
        self.assertEqual(complaints(job.output()), [])

    def test_other_nodes(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", *OPTIONS, node="n1,n2", name="other")
        job.wait_output("task 1 line 20\n")
        self.move(job, "n[2-3]")
        job.wait_output("restored generation ")
        job.wait_output("task 1 line 40\n")
        self.move(job, "n[1,3]")
        wait_for(f"{job} is restored twice", lambda: job.output().count("restored generation") == 2)
        self.finish_without_complaints(job, "2")

    def test_ckptd_started_anew_on_either_side(self):
        job = submit(SCRIPT, "--checkpoint-interval=none", *OPTIONS, node="n1,n2", name="daemons")
        job.wait_output("task 1 line 10\n")
        for node in ("n2", "n1"):
            restart_daemon(node)
            wait_for(f"{job} is saved", lambda: cluster.attempt("n1", "sckpt", "create", job.id, user=job.user).returncode == 0)
        self.move(job, "n[2-3]")
        job.wait_output("restored generation 3 ")
        self.finish_without_complaints(job, "1")

    def test_asked_for_where_the_script_does_not_run(self):
        job = submit(SCRIPT, "--checkpoint-interval=none", *OPTIONS, node="n1,n2", name="asked")
        job.wait_output("task 1 line 10\n")
        self.assertEqual(cluster.run("n2", "sckpt", "create", job.id, user=job.user).strip(), f"generation 1 of {job} saved")
        self.assertIn(f"{job} on n1, ", cluster.run("n2", "sckpt", "explain", job.id, user=job.user))
        self.move(job, "n[2-3]")
        job.wait_output("restored generation ")
        self.finish_without_complaints(job, "1")

    def test_independent_steps(self):
        job = submit(ALONE, "--checkpoint", "--nodes=2", "--ntasks=3", node="n1,n2", name="alone")
        for task in (0, 1, 2):
            job.wait_file(f"part-{task}", lines=15)
        self.move(job, "n[2-3]")
        job.wait_output("restored generation 1 ")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [f"part {task} line {i}" for task in (0, 1, 2) for i in range(1, 61)])
        assert_clean(job)

    def test_cancelled_at_once(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", *OPTIONS, node="n1,n2", name="cancelled")
        job.wait_output("generation 1 saved")
        job.as_user("scancel", job.id)
        self.assertEqual(end(job)["JobState"], "CANCELLED")
        assert_clean(job)

    def test_a_node_that_is_lost(self):
        job = submit(SCRIPT, "--checkpoint-interval=1s", *OPTIONS, node=None, name="lost")
        job.wait_output("generation 2 saved")
        self.assertEqual(job.info()["NodeList"], "n[1-2]", "Slurm takes the first nodes")
        cluster.kill_node("n2")
        try:
            job.wait_info("runs elsewhere", lambda info: info["JobState"] == "RUNNING" and info["NodeList"] == "n[1,3]", timeout=120)
            job.wait_output("restored generation ")
        finally:
            cluster.start_node("n2")
        self.finish(job, "1")
        for line in complaints(job.output()):  # of checkpoints between the loss and Slurm's noticing it
            self.assertRegex(line, "^node n2, where a step of the job runs, does not answer; .*CKPT-401")

    def test_the_time_limit(self):
        job = submit(SCRIPT, "--checkpoint", "--time=10", *OPTIONS, node="n1,n2", name="limit")
        job.wait_output("task 1 line 20\n")
        cluster.run("ctl", "scontrol", "update", f"JobId={job.id}", "EndTime=now+2seconds")
        job.wait_output("restored generation 1 ", timeout=120)
        self.finish_without_complaints(job, "1")

    def test_a_loop_at_random_moments(self):
        print(f"seed {SEED}", flush=True)
        moments = random.Random(SEED)
        reference = submit(LOOP, *OPTIONS, node="n1,n3", name="loop-reference")
        job = submit(LOOP, "--checkpoint", *OPTIONS, node="n1,n2", name="loop")
        rounds = sorted(moments.sample(range(2, 15), 3))
        for part, (nodes, number) in enumerate(zip(("n[2-3]", "n[1,3]", "n[1-2]"), rounds), start=1):
            text = moments.choice((f"round {number} task 0\n", f"total {number * (number + 1) // 2}\n"))
            print(f"{job}: requeued at {text!r}", flush=True)
            job.wait_output(text)
            self.move(job, nodes)
            wait_restored(job, part)
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assertEqual(in_order(application_lines(job.output())), in_order(application_lines(reference.output())))
        self.assertEqual(in_order(job.path("copy").read_text().splitlines()), in_order(reference.path("copy").read_text().splitlines()))
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job, reference)

    def test_switched_off(self):
        """Without the port such steps run as they are, and one line says why there is no checkpoint."""
        set_policy("n1", "n2", network={"port": "none"})
        self.addCleanup(clear_policy, "n1", "n2")
        job = submit(SCRIPT, "--checkpoint-interval=1s", *OPTIONS, node="n1,n2", name="off")
        job.wait_output("task 1 line 40\n")
        self.finish(job, "0")
        self.assert_one_complaint(job, "^a step of the job runs on several nodes at once; .*network.port.*CKPT-403")

    def test_a_heterogeneous_step_runs_as_it_is(self):
        script = """#!/bin/bash
srun --ntasks=1 --nodes=1 sh -c 'sleep 2; echo first' : --ntasks=1 --nodes=1 sh -c 'sleep 2; echo second; exit 3'
echo "status $?"
"""
        job = submit(script, "--checkpoint-interval=1s", *OPTIONS, node="n1,n2", name="heterogeneous")
        self.assert_ended(end(job))
        lines = application_lines(job.output())
        self.assertEqual((sorted(lines[:-1]), lines[-1]), (["first", "second"], "status 3"))
        self.assertEqual([line for line in complaints(job.output()) if "CKPT-403" not in line], [])
        assert_clean(job)

    def test_a_task_that_ends_as_the_checkpoint_begins(self):
        script = """#!/bin/bash
. /shared/programs/gate.sh
srun --ntasks=2 --overlap bash -c '. /shared/programs/gate.sh; gate go' &
for i in $(seq 1 20); do
    srun --nodes=1 --ntasks=1 --overlap --nodelist=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -1) sckpt create >/dev/null 2>&1
    echo "asked $i"
done
gate go
wait
"""
        job = submit(script, "--checkpoint-interval=none", *OPTIONS, node="n1,n2", name="asks")
        job.wait_output("asked 20\n", timeout=120)
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [f"asked {i}" for i in range(1, 21)])
        self.assertIn(" saved,", job.output())
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_mpi_over_nodes_runs_on_without_checkpoints(self):
        job = submit(ALLREDUCE, "--checkpoint-interval=1s", *OPTIONS, node="n1,n2", name="mpi")
        self.assert_ended(end(job))
        self.assert_one_complaint(job, "CKPT-40")
        self.assertEqual(len(job.path("result").read_text().splitlines()), 15)
        assert_clean(job)


main()
