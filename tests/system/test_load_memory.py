# SPDX-License-Identifier: GPL-2.0-or-later
"""A job with 8 GiB of memory that cannot be compressed: saved, requeued, and all of it is there. CKPT_GIB=N: so much. On the machine that takes
the memory, and twice as much on the disk."""

import os
import shutil

from lib import *
from lib.load import LoadTest, Peak, troubles
from lib.store import directory_of

GIB = int(os.environ.get("CKPT_GIB", "8"))
SCRIPT = f"#!/bin/bash\n#SBATCH --checkpoint-interval=none\n/shared/programs/large.py {GIB}\nexit $?\n"


class Memory(LoadTest):
    def setUp(self):
        free = shutil.disk_usage(cluster.shared("/shared")).free
        self.assertGreater(free, (2 * GIB + 4) << 30, "room on the disk")
        for node in ("n1", "n2"):  # else the images stay there as well
            set_policy(node, storage={"local_copies": "none"}, engine={"dump_timeout": "30m", "restore_timeout": "30m"})
            self.addCleanup(clear_policy, node)
        super().setUp()

    def test_all_of_it_comes_back(self):
        job = submit(SCRIPT)
        job.wait_output("ready", timeout=300)
        self.tell("it runs")
        with Peak() as peak:
            cluster.run("n1", "sckpt", "requeue", job.id, user=job.user)
            self.tell("saved", stored=sum(path.stat().st_size for path in directory_of(job).rglob("*") if path.is_file()))
            job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
            job.wait_output("restored generation 1 ", timeout=1200)
        self.tell("restored", **peak.most)
        for line in product_lines(job.output()):
            self.tell(line)
        job.path("go").touch()
        self.assert_ended(end(job, timeout=300), "FAILED", "6:0")
        self.assertEqual(application_lines(job.output()), ["ready", f"0 of {16 * GIB} blocks have changed"])
        self.assertEqual(troubles(job.output()), [])
        assert_clean(job)
        self.assert_same_daemons()


main()
