# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that save themselves, on several nodes: every task of every step is asked, whoever has started it."""

import re

from lib import *

LAST = 100
APP = "--checkpoint-method=app:USR1"
OPTIONS = ("--nodes=2", "--ntasks=2", "--ntasks-per-node=1")
TASKS = f"""#!/bin/bash
echo "life generation=$SLURM_CHECKPOINT_GENERATION"
srun bash -c '/shared/programs/saves_itself.py task$SLURM_PROCID {LAST} HOW'
echo "status $?"
exit 7
"""
ROUNDS = 150


def lines_of(job, word):
    return [line for line in application_lines(job.output()) if line.startswith(word)]


class AppOnNodes(SystemTest):
    def move(self, job, to):
        """Requeue JOB; it starts again on the nodes TO."""
        requeue(job, to=to, wait=False)
        job.wait_info(f"runs on {to}", lambda info: info["JobState"] == "RUNNING" and info["NodeList"] == to)

    def test_tasks_of_srun(self):
        job = submit(TASKS.replace("HOW", "ends"), APP, *OPTIONS, node="n1,n2", name="tasks")
        for task in (0, 1):
            job.wait_output(f"task{task} step 10\n")
        self.move(job, "n[2-3]")
        job.wait_output("life generation=1\n")
        for task in (0, 1):
            job.wait_output(f"task{task} step 60\n")
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "7:0")
        self.assertEqual(info["Restarts"], "1")
        for task in (0, 1):
            stop = int(re.search(rf"^task{task} saved at (\d+)$", job.output(), re.MULTILINE)[1])
            self.assertEqual(lines_of(job, f"task{task} "), [
                *(f"task{task} step {i}" for i in range(1, stop + 1)), f"task{task} saved at {stop}",
                *(f"task{task} step {i}" for i in range(stop + 1, LAST + 1))])
        self.assertEqual(lines_of(job, "status"), ["status 0"])  # the script never saw its srun end before
        assert_clean(job)

    def test_a_marker_for_all(self):
        job = submit(TASKS.replace("HOW", "marks"), APP, *OPTIONS, node="n1,n2", name="marker")
        for task in (0, 1):
            job.wait_output(f"task{task} step 10\n")
        done = cluster.attempt("n2", "sckpt", "create", job.id, user=job.user)
        self.assertEqual((done.returncode, done.stdout), (0, f"generation 1 of {job} saved\n"), done.stderr)
        job.wait_file("task0.restart", lines=0)
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        for task in (0, 1):
            self.assertEqual(lines_of(job, f"task{task} "), [f"task{task} step {i}" for i in range(1, LAST + 1)])
        assert_clean(job)

    def assert_mpi(self, name, command):
        script = f"#!/bin/bash\n{command} /shared/programs/mpi_saves_itself.mpich {ROUNDS} sum\necho \"status $?\"\n"
        job = submit(script, APP, *OPTIONS, node="n1,n2", name=name)
        job.wait_output("2 ranks go on from round 0\n")
        self.move(job, "n[2-3]")
        job.wait_output("started again, to go on from generation 1")
        reference = submit(script, APP, *OPTIONS, node=None, name=f"{name}-reference")
        for one in (job, reference):
            one.path("go").touch()
            self.assert_ended(end(one))
        self.assertEqual(job.info()["Restarts"], "1")
        self.assertEqual(lines_of(job, f"2 ranks, {ROUNDS} rounds: "), lines_of(reference, f"2 ranks, {ROUNDS} rounds: "))
        self.assertEqual(len(lines_of(job, "2 ranks, ")), 1)
        self.assertEqual(len(lines_of(job, "2 ranks go on from round ")), 2)
        self.assertEqual(lines_of(job, "status"), ["status 0"])
        assert_clean(job, reference)

    def test_mpi_of_srun(self):
        self.assert_mpi("pmi2", "srun --mpi=pmi2 --cpu-bind=none")

    def test_mpiexec(self):
        self.assert_mpi("mpiexec", "mpiexec.hydra -n 2 -ppn 1")


main()
