# SPDX-License-Identifier: GPL-2.0-or-later
"""A job is restored on a node where its process numbers belong to others."""

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count background 1 60 >background &
echo "parts $$ $!"
count line 1 60
gate go
wait $!
echo "parts $$ $!"
"""


class PidsTaken(SystemTest):
    def test_restore_beside_the_same_pids(self):
        job = submit(SCRIPT, "--checkpoint", node="n1")
        job.wait_output("line 10")
        requeue(job, to="n2", hold=True)
        parts = next(line for line in job.output().splitlines() if line.startswith("parts "))
        pids = parts.split()[1:]
        holder = cluster.background("n2", "/shared/programs/hold_pids.py", *pids)
        self.addCleanup(holder.communicate)
        self.assertEqual(holder.stdout.readline(), "holding\n")
        job.as_user("scontrol", "release", job.id)
        job.wait_running("n2")
        job.wait_output("restored generation 1")
        for pid in pids:  # still theirs, as the node sees it
            self.assertNotIn(f"/{job.cgroup()}/", cluster.read("n2", f"/proc/{pid}/cgroup"))
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [parts, *(f"line {i}" for i in range(1, 61)), parts])
        self.assertEqual(job.path("background").read_text().splitlines(), [f"background {i}" for i in range(1, 61)])
        assert_clean(job)


main()
