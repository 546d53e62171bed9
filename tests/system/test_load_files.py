# SPDX-License-Identifier: GPL-2.0-or-later
"""A job with 10,000 open files, half of them read and half written: each goes on where it was. CKPT_FILES=N: so many."""

import os

from lib import *
from lib.load import LoadTest, Peak, troubles

COUNT = int(os.environ.get("CKPT_FILES", "10000"))
SCRIPT = f"#!/bin/bash\n#SBATCH --checkpoint-interval=none\n/shared/programs/open_files.py {COUNT}\nexit $?\n"
EXPECTED = [f"{COUNT} files are open", *(f"step {i}" for i in range(1, 21)), "0 of what was read or written is wrong"]


class Files(LoadTest):
    def finish(self, job):
        for line in product_lines(job.output()):
            self.tell(line)
        job.path("go").touch()
        self.assert_ended(end(job, timeout=120), "FAILED", "5:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(troubles(job.output()), [])
        assert_clean(job)
        self.assert_same_daemons()

    def test_where_they_were(self):
        job = submit(SCRIPT)
        job.wait_output("step 10\n", timeout=120)
        with Peak() as peak:
            cluster.run("n1", "sckpt", "requeue", job.id, user=job.user)
            job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
            job.wait_output("restored generation 1 ", timeout=300)
        self.tell("restored", **peak.most)
        self.finish(job)

    def test_cut_back(self):
        """All that are written have grown since the checkpoint."""
        job = submit(SCRIPT)
        job.wait_output("step 5\n", timeout=120)
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        cluster.run("n1", "sckpt", "disable", job.id, user=job.user)
        job.wait_output("step 10\n", timeout=120)
        with Peak() as peak:
            requeue(job, to="n2", wait=False)
            job.wait_output("restored generation 1 ", timeout=300)
        self.tell("restored", **peak.most)
        self.finish(job)


main()
