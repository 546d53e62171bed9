# SPDX-License-Identifier: GPL-2.0-or-later
"""When checkpoints are taken that nobody asks for: the first one of a job, those that fit its time limit, and not all at once."""

import json

from lib import *

COUNTS = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
count line 21 40
"""
UNTIL_RESTORED = """#!/bin/bash
i=0
until grep --quiet "^checkpoint: restored" "slurm-$SLURM_JOB_ID.out"; do
    i=$((i + 1))
    echo "line $i"
    sleep 0.1
done
. /shared/programs/gate.sh
gate go
echo "the end"
"""


def explained(job):
    sections = json.loads(cluster.run(job.info()["BatchHost"], "sckpt", "explain", "--json", job.name if "_" in job.name else job.id, user=job.user))
    return sections.get("next"), sections.get("interval")


class Interval(SystemTest):
    def finish(self, *jobs):
        for job in jobs:
            job.path("go").touch()
            self.assert_ended(end(job))
            self.assertEqual(application_lines(job.output()), [f"line {i}" for i in range(1, 41)])
        assert_clean(*jobs)

    def test_first(self):
        """It comes early, whatever the interval, as the verdict; also where there is none. A short job gets none."""
        set_policy("n1", auto={"first": "2s"})
        self.addCleanup(clear_policy, "n1")
        job, none, short = submit(COUNTS, "--checkpoint", "--time=60"), submit(COUNTS, "--checkpoint-interval=none"), submit(COUNTS, "--checkpoint", "--time=2")
        for one in (job, none):
            one.wait_output("generation 1 saved")
        self.assertEqual(explained(job)[0]["delay"]["from"], "until_last / 2 - jitter")
        self.assertEqual(explained(none)[0]["delay"], {"value": "none", "from": "there are none"})
        self.assertEqual(explained(short)[0]["delay"], {"value": "none", "from": "none, the run is too short: built-in auto.min_run_time"})
        self.finish(job, none, short)
        self.assertEqual(product_lines(short.output()), [])

    def test_fits_the_time_limit(self):
        """With a checkpoint every 20 s one would come right before the last one. It does not, and none is taken more."""
        set_policy("n1", "n2", time_limit={"reserve": "15s", "safety": 1}, auto={"jitter": "none", "first": "none"})
        self.addCleanup(clear_policy, "n1", "n2")
        job = submit(UNTIL_RESTORED, "--checkpoint-interval=20s", "--checkpoint-keep=9", "--time=1")
        job.wait_output("line 1\n")
        parts, _ = explained(job)
        left, delay = parts["until_last"]["value"], parts["delay"]["value"]
        count = -(-left // 20)
        self.assertEqual((parts["interval"]["value"], delay), (20, left // count))
        self.assertEqual(parts["delay"]["from"], f"until_last / {count} - jitter")
        wait_for(f"{job} is restored", lambda: "restored generation" in job.output(), timeout=150)
        taken = [(one["reason"], one["taken_at"]) for one in generations(job) if one["incarnation"] == 0]
        self.assertEqual([reason for reason, _ in taken], ["interval"] * (count - 1) + ["time limit"])
        self.assertGreater(taken[-1][1] - taken[-2][1], 20 / 2, "just before the last one")
        job.path("go").touch()
        self.assert_ended(end(job))
        text = application_lines(job.output())
        self.assertEqual(text, [f"line {i}" for i in range(1, len(text))] + ["the end"])
        assert_clean(job)

    def test_elements_of_an_array_are_spread(self):
        set_policy("n1", auto={"jitter": "50%", "first": "none"})
        self.addCleanup(clear_policy, "n1")
        array = submit(COUNTS, "--checkpoint-interval=1h", "--array=0-5", output="/home/alice/interval/%a.out")
        jobs = [array_element(array, index) for index in range(6)]
        delays = []
        for job in jobs:
            job.wait_output("line 20")
            parts, _ = explained(job)
            whole = parts["delay"]["value"] + parts["jitter"]["value"]  # fitted to a limit that is far away
            self.assertLessEqual(whole, 3600)
            self.assertGreater(whole, 3500)
            self.assertGreaterEqual(parts["delay"]["value"], 1750)
            delays.append(parts["delay"]["value"])
        self.assertGreater(len(set(delays)), 3, delays)
        self.finish(*jobs)


if __name__ == "__main__":
    main()
