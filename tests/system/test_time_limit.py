# SPDX-License-Identifier: GPL-2.0-or-later
"""Time limits: a job goes on beyond them, again and again, until it ends by itself."""

import os

from lib import *

LOOP = """#!/bin/bash
. /shared/programs/gate.sh
i=0
until [[ -e go ]]; do
    i=$((i + 1))
    count "part $i line" 1 20 | tee -a copy
done
echo "the end"
exit 5
"""
# It ends by itself once it has been restored: the limit that was moved is that of its next life too.
UNTIL_RESTORED = LOOP.replace("[[ -e go ]]", 'grep --quiet "^checkpoint: restored" "slurm-$SLURM_JOB_ID.out"')
HANDLER = """#!/bin/bash
trap 'echo handled; exit 3' TERM
echo ready
while :; do sleep 0.1; done
"""
LINKS = int(os.environ.get("CKPT_LINKS", "2"))  # limits that one job survives
EARLY = {"reserve": "30s"}  # half of the shortest limit there is, one minute


class TimeLimit(SystemTest):
    @classmethod
    def setUpClass(cls):
        set_policy("n1", "n2", time_limit=EARLY)

    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2")

    def finish(self, job):
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "5:0")
        text = job.output()
        lines = application_lines(text)
        self.assertEqual(lines.pop(), "the end")
        expected = [f"part {part} line {line}" for part in range(1, len(lines) // 20 + 1) for line in range(1, 21)]
        self.assertEqual(lines, expected)
        self.assertEqual(job.path("copy").read_text().splitlines(), expected)
        self.assertEqual([line for line in complaints(text) if "is requeued before" not in line], [])
        return info

    def test_seen_beforehand_or_not(self):
        """"forward" has its limit moved so that nobody sees it coming: then it is saved within KillWait, and requeued from the state
        TIMEOUT."""
        forward = submit(UNTIL_RESTORED, "--checkpoint", "--time=10", node="n1", name="forward")
        forward.wait_output("line 10")
        cluster.run("ctl", "scontrol", "update", f"JobId={forward.id}", "EndTime=now+2seconds")
        chained = submit(LOOP, "--checkpoint", "--time=1", node="n1", name="chained")
        extended = submit(LOOP, "--checkpoint", "--time=1", node="n1", name="extended")
        alone = submit(HANDLER, "--checkpoint", "--no-requeue", "--time=1", node="n2", name="alone")
        extended.wait_output("line 1")
        cluster.run("ctl", "scontrol", "update", f"JobId={extended.id}", "TimeLimit=10")
        for restarts in range(1, LINKS + 1):
            wait_for(f"{chained} is restored {restarts} times",
                     lambda: chained.output().count("checkpoint: restored generation") == restarts, timeout=120)
            self.assertEqual(chained.info()["Restarts"], str(restarts))
        self.assert_ended(end(alone, timeout=120), "TIMEOUT", "3:0")
        self.assertIn("handled", application_lines(alone.output()))
        self.assertEqual([one["reason"] for one in generations(alone)], ["time limit", "forced end"])
        self.assertEqual(self.finish(chained)["Restarts"], str(LINKS))
        self.assertEqual(self.finish(extended)["Restarts"], "0")
        self.assertEqual(generations(extended), [])
        self.assertEqual(self.finish(forward)["Restarts"], "1")
        self.assertEqual(forward.output().count("checkpoint: restored generation"), 1)
        assert_clean(chained, extended, alone, forward)


main()
