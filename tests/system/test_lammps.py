# SPDX-License-Identifier: GPL-2.0-or-later
"""A molecular dynamics run, requeued in the middle, goes on on the other node: its trajectory and thermo output are those of an
uninterrupted run."""

import re

from lib import *

STEPS, REST = 9000, 3000
# Debian's lmp is an Open MPI program: although it runs alone it has a segment in /dev/shm, which travels, and a listener.
SCRIPT = f"""#!/bin/bash
lmp -in /shared/programs/melt_held.in -var steps {STEPS} -var rest {REST}
"""


def thermo(text):
    """The table, without the timings that follow it."""
    return re.findall(r"^ +\d+(?: +[-+.\de]+){5} *$", text, re.MULTILINE)


class Lammps(SystemTest):
    def test_trajectory_and_thermo_output_are_those_of_an_uninterrupted_run(self):
        job = submit(SCRIPT, "--checkpoint-interval=3s", node="n1", name="requeued")
        job.wait_output("generation 1 saved")
        job.wait_file("melt.lammpstrj", lines=10 * 2048)
        requeue(job, to="n2")
        # On the other node: Open MPI in lmp listens on the first free port from 1024, and a restored one needs its old port.
        reference = submit(SCRIPT, node="n1", name="reference")
        reference.path("go").touch()
        job.wait_output("restored generation")
        job.path("go").touch()
        ended, expected = end(job), end(reference)

        self.assert_ended(ended)
        self.assert_ended(expected)
        self.assertEqual((ended["BatchHost"], ended["Restarts"]), ("n2", "1"))
        self.assertEqual(len(thermo(reference.output())), (STEPS + REST) // 50 + 2)  # where it is held it is written twice
        self.assertEqual(thermo(job.output()), thermo(reference.output()))
        self.assertEqual(thermo(job.path("log.lammps").read_text()), thermo(reference.path("log.lammps").read_text()))
        trajectories = [each.path("melt.lammpstrj").read_bytes() for each in (job, reference)]
        self.assertTrue(trajectories[0] == trajectories[1], "the trajectories differ")
        assert_clean(job, reference)


main()
