# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine against the real CRIU, without Slurm: tests/criu, run on a compute node where everything it needs is there."""

import os
import re
import shutil
from pathlib import Path

from lib import *

PROGRAM = "/shared/criu_test"


class Engine(SystemTest):
    def setUp(self):
        built = Path(os.environ["CKPT_BUILD"]) / "tests/criu/criu_test"
        shutil.copy(built, cluster.shared(PROGRAM))
        self.addCleanup(cluster.shared(PROGRAM).unlink)

    def test_with_the_real_criu(self):
        done = cluster.attempt("n1", PROGRAM, "--gtest_brief=1")
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, text)
        # what the node lacks would show as a skip, which must not pass for a success
        self.assertNotIn("SKIPPED", text)
        self.assertTrue(re.search(r"PASSED +\] [1-9]\d* tests", text), text)


main()
