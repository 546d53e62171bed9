# SPDX-License-Identifier: GPL-2.0-or-later
"""A job that does not ask for checkpoints does not notice that the product is installed: nothing of ours runs in it, and the
daemon never hears of it."""

from lib import *

SCRIPT = """#!/bin/bash
env
. /shared/programs/gate.sh
echo running
gate go
echo ready to end
"""


class Untouched(SystemTest):
    """In the daemon's place on n1 something listens that never answers and tells who connects."""

    def setUp(self):
        cluster.service("n1", "ckptd", "stop")
        self.listener = cluster.background("n1", "/shared/programs/listener.py")
        self.addCleanup(self.end_listener)
        self.assertEqual(self.listener.stdout.readline(), "listening\n")

    def end_listener(self):
        return "" if self.listener.stdin.closed else self.listener.communicate()[0]

    def run_job(self, *options):
        """The job, ended, the names of its processes and who has connected meanwhile."""
        job = submit(SCRIPT, *options)
        job.wait_output("running")
        of_job = f'for i in $(grep --files-with-matches --no-messages /{job.cgroup()}/ /proc/[0-9]*/cgroup); do cat "${{i%cgroup}}comm" 2>&-; done; true'
        processes = set(cluster.run("n1", "sh", "-c", of_job).splitlines())
        self.assertIn("slurm_script", processes)
        job.path("go").touch()
        job.wait_output("ready to end")
        connections = self.end_listener()
        self.assert_ended(end(job))
        assert_clean(job)
        return job, processes, connections

    def test_a_job_without_the_option(self):
        job, processes, connections = self.run_job()
        self.assertFalse([name for name in processes if name.startswith("ckpt")], processes)
        self.assertNotRegex(job.output().upper(), "CHECKPOINT|CKPT")
        self.assertEqual(connections, "")

    def test_a_job_with_the_option_would_have_been_noticed(self):
        job, processes, connections = self.run_job("--checkpoint")
        self.assertIn("ckpt-shim", processes)
        self.assertRegex(job.output().upper(), "CHECKPOINT|CKPT")
        self.assertIn("connection", connections)
        self.assert_one_complaint(job, "ckptd.*without checkpoints")


main()
