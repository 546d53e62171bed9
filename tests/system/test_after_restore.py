# SPDX-License-Identifier: GPL-2.0-or-later
"""What a restored application has of its new place, and what it keeps of the old one (docs/behaviour.md): cgroup, processors and
standard streams are the new job's; directory, umask, limits, variables and identity are in the restored memory."""

import os
import re

from lib import *

NEW = ("/proc/self/cgroup", "Cpus_allowed_list")
KEPT = ("working directory", "Umask", "Uid", "Gid", "Groups", "Max open files", "environment", "signal", "SigIgn", "SigBlk", "SigCgt", "nice",
        "leads its process group", "Cap", "descriptor 0", "descriptor 2")
SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
umask 077
ulimit -n 500
trap '' USR2
export SECRET=kept
/shared/programs/probe >before
echo ready
gate go
/shared/programs/probe >after
echo "to standard output"
echo "to standard error" >&2
"""


def lines(job, file, words):
    return [line for line in job.path(file).read_text().splitlines() if any(word in line for word in words)]


class AfterRestore(SystemTest):
    def test_new_place_old_memory(self):
        # Processor 0 of n2 is taken, so that the job must get another than on n1.
        filler = submit("#!/bin/sh\nexec sleep 1000\n", node="n2", name="filler")
        job = submit(SCRIPT, "--checkpoint", "--error=errors", node="n1")
        filler.wait_running("n2")
        job.wait_output("ready")
        requeue(job, to="n2")
        wait_for(f"{job} is restored", lambda: "restored generation 1" in job.path("errors").read_text())
        job.path("go").touch()
        self.assert_ended(end(job))
        filler.as_user("scancel", filler.id)

        with self.subTest("kept"):
            self.assertEqual(lines(job, "after", KEPT), lines(job, "before", KEPT))
        with self.subTest("streams"):
            self.assertEqual(application_lines(job.output()), ["ready", "to standard output"])
            self.assertIn("to standard error\n", job.path("errors").read_text())
        with self.subTest("cgroup"):
            self.assertRegex("".join(lines(job, "after", NEW)), rf"/{job.cgroup()}/step_batch/user/task_")
        with self.subTest("processors"):
            if os.cpu_count() < 2:
                self.skipTest("this machine has one processor, so that both nodes can give no other")
            before, after = (re.findall(r"Cpus_allowed_list:\s*(\S+)", job.path(file).read_text()) for file in ("before", "after"))
            self.assertNotEqual(after, before)
            self.assertEqual(after, [self.processors_of_a_fresh_job()])
        end(filler)
        assert_clean(job, filler)

    def processors_of_a_fresh_job(self):
        """What Slurm gives a job in the same place: beside the filler."""
        filler = submit("#!/bin/sh\nexec sleep 1000\n", node="n2", name="filler")
        filler.wait_running("n2")
        fresh = submit("#!/shared/programs/probe\n", node="n2", name="fresh")
        self.assert_ended(end(fresh))
        filler.as_user("scancel", filler.id)
        return re.search(r"Cpus_allowed_list:\s*(\S+)", fresh.output())[1]


main()
