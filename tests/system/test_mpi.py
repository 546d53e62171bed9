# SPDX-License-Identifier: GPL-2.0-or-later
"""MPI programs on one node. Started by mpiexec or mpirun in the batch script and requeued in the middle, they go on on the other node;
those that srun starts run without checkpoints."""

import re

from lib import *

ROUNDS = 1500
STEPS, REST = 3000, 1000


def command(mpi, rounds=ROUNDS, files="result go"):
    run = {"mpich": "mpiexec.hydra", "openmpi": "mpirun.openmpi --bind-to none"}[mpi]  # nodes have fewer CPUs than Slurm believes
    return f"{run} -n 4 /shared/programs/allreduce.{mpi} {rounds} {files}\n"


def thermo(text):
    """The table, without the timings that follow it."""
    return re.findall(r"^ +\d+(?: +[-+.\de]+){5} *$", text, re.MULTILINE)


def go(job):
    """It may come to its end."""
    job.path("go").touch()


class Mpi(SystemTest):
    def assert_goes_on(self, mpi):
        """In the middle of one run, and another run is started after the restore, when the script's variables name the old node."""
        script = f"#!/bin/bash\nset -e\n{command(mpi)}{command(mpi, 100, 'second')}echo both have ended\n"
        job = submit(script, "--checkpoint-interval=2s", "--ntasks=4", node="n1", name=mpi)
        job.wait_output("generation 1 saved")
        requeue(job, to="n2")
        reference = submit(f"#!/bin/bash\n{command(mpi)}", "--ntasks=4", node="n1", name="reference")
        go(reference)
        job.wait_output("restored generation")
        go(job)
        ended, expected = end(job), end(reference)

        self.assert_ended(ended)
        self.assert_ended(expected)
        self.assertEqual((ended["BatchHost"], ended["Restarts"]), ("n2", "1"))
        self.assertEqual(complaints(job.output()), [])
        self.assertEqual(application_lines(job.output()), ["both have ended"])
        self.assertEqual(len(job.path("second").read_text().splitlines()), 1)
        lines = job.path("result").read_text().splitlines()
        self.assertEqual(len(lines), ROUNDS // 100)
        self.assertTrue(lines[-1].startswith(f"4 ranks, round {ROUNDS}: "), lines[-1])
        self.assertEqual(lines, reference.path("result").read_text().splitlines())
        assert_clean(job, reference)

    def test_mpich(self):
        self.assert_goes_on("mpich")

    def test_open_mpi(self):
        self.assert_goes_on("openmpi")

    def assert_refused(self, mpi, program):
        script = f"#!/bin/bash\nsrun --mpi={mpi} --cpu-bind=none -n 2 /shared/programs/allreduce.{program} {ROUNDS} result\n"
        if mpi not in cluster.attempt("n1", "srun", "--mpi=list").stdout.split():  # not every Slurm is built with PMIx
            return self.assert_as_without_us(script)
        job = submit(script, "--checkpoint-interval=1s", "--ntasks=2", name=mpi)
        self.assert_ended(end(job))
        self.assert_one_complaint(job, r"a connection to slurmstepd for MPI, .*; start MPI programs with mpiexec or mpirun .*CKPT-403")
        self.assertEqual(len(job.path("result").read_text().splitlines()), ROUNDS // 100)
        assert_clean(job)

    def assert_as_without_us(self, script):
        plain, ours = submit(script, "--ntasks=2"), submit(script, "--checkpoint", "--ntasks=2")
        expected = end(plain)
        self.assertEqual(expected["JobState"], "FAILED")
        self.assert_ended(end(ours), "FAILED", expected["ExitCode"])
        self.assertIn("Invalid MPI type", plain.output())
        self.assertEqual(ours.output(), plain.output())
        assert_clean(plain, ours)

    def test_pmi2_of_srun_is_refused(self):
        self.assert_refused("pmi2", "mpich")

    def test_pmix_of_srun_is_refused(self):
        self.assert_refused("pmix", "openmpi")

    def test_lammps_with_two_ranks(self):
        script = f"#!/bin/bash\nmpirun.openmpi --bind-to none --mca mpi_yield_when_idle 1 -n 2 lmp -in /shared/programs/melt_held.in -var steps {STEPS} -var rest {REST}\n"
        job = submit(script, "--checkpoint-interval=3s", "--ntasks=2", node="n1", name="requeued")
        job.wait_output("generation 1 saved")
        requeue(job, to="n2")
        # On the other node: Open MPI listens on the first free ports from 1024, and a restored one needs its old ones.
        reference = submit(script, "--ntasks=2", node="n1", name="reference")
        go(reference)
        job.wait_output("restored generation")
        go(job)
        ended, expected = end(job), end(reference)

        self.assert_ended(ended)
        self.assert_ended(expected)
        self.assertEqual((ended["BatchHost"], ended["Restarts"]), ("n2", "1"))
        self.assertEqual(complaints(job.output()), [])
        self.assertEqual(len(thermo(reference.output())), (STEPS + REST) // 50 + 2)  # where it is held it is written twice
        self.assertEqual(thermo(job.output()), thermo(reference.output()))
        trajectories = [each.path("melt.lammpstrj").read_bytes() for each in (job, reference)]
        self.assertTrue(trajectories[0] == trajectories[1], "the trajectories differ")
        assert_clean(job, reference)


main()
