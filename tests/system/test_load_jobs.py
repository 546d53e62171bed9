# SPDX-License-Identifier: GPL-2.0-or-later
"""500 short jobs of two users. Each has itself saved and requeued in its middle, and goes on from there. CKPT_JOBS=N: so many."""

import os

from lib import *
from lib.load import Array, LoadTest, Peak, troubles

EACH = int(os.environ.get("CKPT_JOBS", "500")) // 2
SCRIPT = """#!/bin/bash
echo "before, element $SLURM_ARRAY_TASK_ID"
echo "noted" >>$SLURM_ARRAY_TASK_ID.notes
sckpt requeue
echo "behind it, element $SLURM_ARRAY_TASK_ID, status $?"
echo "noted" >>$SLURM_ARRAY_TASK_ID.notes
exit $((SLURM_ARRAY_TASK_ID % 50))
"""


class Jobs(LoadTest):
    def test_each_goes_on_once(self):
        with Peak() as peak:
            arrays = [Array(SCRIPT, EACH, "--checkpoint-interval=none", user=user, name=user) for user in ("alice", "bob")]
            ended = [array.end(timeout=3000) for array in arrays]
        self.tell(f"{2 * EACH} jobs have ended", **peak.most)
        wrong = []
        for array, infos in zip(arrays, ended):
            for index, info in infos.items():
                expected = [f"before, element {index}", f"job {info['JobId']} was restored from generation 1",
                            f"behind it, element {index}, status 0"]
                found = application_lines(array.output(index))
                if ((info["ExitCode"], info["Restarts"]) != (f"{index % 50}:0", "1") or found != expected
                        or troubles(array.output(index)) or array.job.path(f"{index}.notes").read_text() != "noted\n" * 2):
                    wrong.append((array.user, index, info["JobState"], info["ExitCode"], info["Restarts"], array.output(index)))
        self.assertEqual(wrong, [], f"{len(wrong)} of {2 * EACH}")
        assert_clean(*(job for array, infos in zip(arrays, ended) for job in array.jobs(infos)))
        self.assert_same_daemons()


main()
