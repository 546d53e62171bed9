# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of Slurm under which its signals do not reach the shim alone: jobs run without checkpoints, as if the product were
not there, and say so in one line; what was saved elsewhere is not lost to a fresh start."""

from lib import *
from lib.cluster import COMPUTE

SLURM_CONF, CGROUP_CONF = "/etc/slurm/slurm.conf", "/etc/slurm/cgroup.conf"
CGROUP = ("with SignalChildrenProcesses=yes in cgroup.conf Slurm's SIGTERM ends the program before it is saved; "
          "an admin can set it to no [CKPT-105]")
PROCTRACK = ("with ProctrackType=proctrack/linuxproc in slurm.conf Slurm's SIGTERM ends the program before it is saved; "
             "an admin can set proctrack/cgroup [CKPT-105]")
HANDLER = """#!/usr/bin/python3 -u
import signal, sys
def handle(*_):
    print("handled")
    sys.exit(3)
signal.signal(signal.SIGTERM, handle)
print("ready")
signal.pause()
"""
COUNT = """#!/bin/bash
#SBATCH --checkpoint-interval=1s
. /shared/programs/gate.sh
count line 1 20
gate go
"""


class Settings(SystemTest):
    def change(self, path, text, nodes):
        """TEXT is appended to the file PATH of NODES, of which the compute nodes' slurmd are restarted, until the end of the test."""
        before = {node: cluster.read(node, path) for node in nodes}
        self.addCleanup(self.write, path, before)
        self.write(path, {node: text_of_node + text for node, text_of_node in before.items()})

    def write(self, path, texts):
        for node, text in texts.items():
            cluster.write(node, path, text)
            if node in COMPUTE:
                cluster.service(node, "slurmd", "restart")
        wait_for("the nodes are there", lambda: set(cluster.run("ctl", "sinfo", "--noheader", "--Node", "--format=%T").split()) == {"idle"})

    def assert_runs_alone(self, line, advice):
        job = submit(HANDLER, "--checkpoint", node="n1")
        self.assertEqual([said.partition("checkpoint: ")[2] for said in job.advice.splitlines()], advice)
        job.wait_output("ready")
        of_job = f'for i in $(grep --files-with-matches --no-messages /{job.cgroup()}/ /proc/[0-9]*/cgroup); do cat "${{i%cgroup}}comm" 2>&-; done; true'
        processes = cluster.run("n1", "sh", "-c", of_job).split()
        self.assertFalse([name for name in processes if name.startswith("ckpt")], processes)
        explained = cluster.run("n1", "sckpt", "explain", job.id, user="alice")
        self.assertEqual(explained, f"job {job.id} on n1, incarnation 0\nruns without checkpoints: {line}\n")
        job.as_user("scancel", job.id)
        self.assertEqual(end(job)["JobState"], "CANCELLED")
        self.assertEqual(application_lines(job.output()), ["ready", "handled"])
        self.assertEqual(product_lines(job.output()), [f"{line}; the job runs without checkpoints"])
        assert_clean(job)

    def test_signal_children_processes(self):
        self.change(CGROUP_CONF, "SignalChildrenProcesses=yes\n", ["n1"])
        self.assert_runs_alone(CGROUP, [])

    def test_proctrack(self):
        self.change(SLURM_CONF, "ProctrackType=proctrack/linuxproc\n", ["ctl", "n1"])
        self.assert_runs_alone(PROCTRACK, [f"{PROCTRACK}; the job runs without checkpoints"])

    def test_requeued(self):
        self.change(CGROUP_CONF, "SignalChildrenProcesses=yes\n", ["n1"])
        saved = submit(COUNT, node="n2", name="saved")
        saved.wait_output("generation 1 saved")
        saved.wait_output("line 20")
        unsaved = submit(COUNT, node="n1", name="unsaved")
        unsaved.wait_output("line 20")
        saved.as_user("scontrol", "requeue", saved.name)
        unsaved.as_user("scontrol", "requeue", unsaved.name)
        for job in (saved, unsaved):
            job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING")
            job.as_user("scontrol", "update", f"JobId={job.name}", "ReqNodeList=n1")
        info = saved.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0")
        reason = f"an earlier checkpoint cannot be restored on this node: {CGROUP}"
        self.assertIn(reason, product_lines(saved.output()))
        self.assertIn(reason.partition("SignalChildren")[0].strip(), info.get("AdminComment") or info["Comment"])
        unsaved.wait_output("line 20")
        unsaved.path("go").touch()
        self.assert_ended(end(unsaved))
        self.assertEqual(application_lines(unsaved.output()), [f"line {i}" for i in range(1, 21)])
        self.assertEqual(generations(unsaved), [])
        self.assertNotEqual(generations(saved), [])
        saved.as_user("scontrol", "update", f"JobId={saved.name}", "ReqNodeList=n2")
        saved.as_user("scontrol", "release", saved.name)
        saved.wait_output("restored generation")
        saved.path("go").touch()
        self.assert_ended(end(saved))
        self.assertEqual(application_lines(saved.output()), [f"line {i}" for i in range(1, 21)])
        assert_clean(saved, unsaved)


main()
