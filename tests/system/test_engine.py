# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine against the real CRIU, without Slurm: tests/criu, run on the compute nodes, where everything it needs is there, half of
the tests on each."""

import os
import re
import shutil
from pathlib import Path

from lib import *
from lib.cluster import COMPUTE

PROGRAM = "/shared/criu_test"


class Engine(SystemTest):
    def setUp(self):
        built = Path(os.environ["CKPT_BUILD"]) / "tests/criu/criu_test"
        shutil.copy(built, cluster.shared(PROGRAM))
        self.addCleanup(cluster.shared(PROGRAM).unlink)

    def test_with_the_real_criu(self):
        shards = [self.shard(node, index) for index, node in enumerate(COMPUTE)]
        for node, running in zip(COMPUTE, shards):
            with self.subTest(node):
                text = running.communicate()[0]
                self.assertEqual(running.returncode, 0, text)
                # what the node lacks would show as a skip, which must not pass for a success
                self.assertNotIn("SKIPPED", text)
                self.assertTrue(re.search(r"PASSED +\] [1-9]\d* tests", text), text)

    def shard(self, node, index):
        """Its part of the tests, under way; its output has standard error too."""
        running = cluster.background(node, "env", f"GTEST_TOTAL_SHARDS={len(COMPUTE)}", f"GTEST_SHARD_INDEX={index}", "sh", "-c",
                                     'exec "$@" 2>&1', "sh", PROGRAM, "--gtest_brief=1")
        self.addCleanup(running.communicate)
        self.addCleanup(running.terminate)
        return running


main()
