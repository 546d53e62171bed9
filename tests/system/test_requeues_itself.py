# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts that have Slurm warn them before their time limit (--signal=B:USR1@…) and then requeue themselves, as sites teach it."""

from lib import *

HEAD = """#!/bin/bash
#SBATCH --signal=B:USR1@600 --time=10
. /shared/programs/gate.sh
"""
TAIL = """
{ count line 1 60; gate go; exit 3; } & work=$!
while kill -0 $work; do wait $work; status=$?; done 2>errors
echo "the work ended with $status"
"""
SCRIPTS = {
    # It goes on behind its requeue when it is restored.
    "waits": HEAD + "trap 'scontrol requeue $SLURM_JOB_ID; echo warned >>warnings' USR1" + TAIL,
    # It ends on its own before Slurm ends it; when restored it is in the middle of its work.
    "exits": HEAD + "trap 'echo warned >>warnings; scontrol requeue $SLURM_JOB_ID; exit 0' USR1" + TAIL,
}


class RequeuesItself(SystemTest):
    def test_by_its_own_scontrol(self):
        jobs = {name: submit(script, "--checkpoint-interval=1s", node="n1", name=name) for name, script in SCRIPTS.items()}
        for job in jobs.values():
            wait_for(f"{job} is restored", lambda: "restored generation" in job.output(), timeout=90)
            job.path("go").touch()
        for name, job in jobs.items():
            with self.subTest(name):
                info = end(job)
                self.assert_ended(info)
                self.assertGreaterEqual(int(info["Restarts"]), 1)
                self.assertGreaterEqual(len(job.path("warnings").read_text().split()), 1)
                self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 61)), "the work ended with 3"])
                self.assertEqual(complaints(job.output()), [])
        assert_clean(*jobs.values())


main()
