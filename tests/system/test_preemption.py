# SPDX-License-Identifier: GPL-2.0-or-later
"""Preemption with PreemptMode REQUEUE, with and without a grace time and a warning in it, and CANCEL: the job makes room, comes back
and goes on, without a line lost or doubled."""

from lib import *

SCRIPT = """#!/bin/bash
trap 'echo warned >>warnings' USR1
. /shared/programs/gate.sh
count line 1 60 | tee copy
gate go
echo "the end"
"""
EXPECTED = [f"line {i}" for i in range(1, 61)]


class Preemption(SystemTest):
    def test_every_mode(self):
        options = {mode: (f"--partition={mode}",) for mode in ("requeued", "graceful", "cancelled")}
        options["warned"] = ("--partition=graceful", "--signal=B:USR1@10")
        jobs = {mode: submit(SCRIPT, "--checkpoint", *more, node="n1", name=mode) for mode, more in options.items()}
        for job in jobs.values():
            job.wait_output("line 5")
        urgent = submit("#!/bin/bash\necho here\n", "--partition=urgent", "--exclusive", node="n1", name="urgent")
        self.assert_ended(end(urgent))
        self.assertEqual(application_lines(urgent.output()), ["here"])
        for mode, job in jobs.items():
            with self.subTest(mode):
                wait_for(f"{job} is restored", lambda: "checkpoint: restored generation 1" in job.output(), timeout=90)
                job.path("go").touch()
                # Before 26.05 slurmctld starts a job once more that has ended by itself after a grace time (docs/architecture.md).
                restarts = "2" if mode in ("graceful", "warned") and slurm_version() < (26, 5) else "1"
                info = job.wait_info("ends", lambda info: info["JobState"] == "COMPLETED" and info["Restarts"] == restarts)
                self.assert_ended(info)
                self.assertEqual(application_lines(job.output()), [*EXPECTED, "the end"])
                self.assertEqual(job.path("copy").read_text().splitlines(), EXPECTED)
                self.assertEqual(job.path("warnings").exists(), mode == "warned")
                if mode == "warned":
                    self.assertEqual(job.path("warnings").read_text(), "warned\n")
        assert_clean(*jobs.values(), urgent)


main()
