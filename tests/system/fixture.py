# SPDX-License-Identifier: GPL-2.0-or-later
"""fixture.py up|down [v1|tmp|acct|bare|load]: the cluster of some system tests, with the product and the test programs on it. v1: there
Slurm uses cgroup v1 and limits memory; where that is not possible there is none, and its tests are skipped. tmp: there each job has a
/tmp of its own (job_container/tmpfs). acct: there Slurm has its accounting. bare: there the product is not installed. load: there a node
runs 64 tasks at once, and Slurm is patient with a machine on which everything then takes its time."""

import os
import shutil
import sys
from pathlib import Path

from lib.cluster import COMPUTE, NODES, cluster, memory_is_limited
from lib.product import STORE, set_policy

PROGRAMS = Path(__file__).resolve().parent / "programs"
# More than the two processors that a small machine has, so that many jobs, which mostly sleep, run at once.
CPUS = 20
LOAD_CPUS = 64
# A last checkpoint has two thirds of KillWait, and 64 of them share the machine's processors.
LOAD = tuple(word for line in ("KillWait=300", "MessageTimeout=60", "SlurmdTimeout=300") for word in ("--conf", line))
PRIVATE_TMP = ("--conf", "JobContainerType=job_container/tmpfs", "--conf", "PrologFlags=Contain",
               "--file", "job_container.conf=AutoBasePath=true\nBasePath=/var/spool/containers\n")
# Partitions named after what becomes of their jobs when one of "urgent" comes.
PREEMPTION = (
    "PreemptType=preempt/partition_prio",
    "PreemptMode=REQUEUE",
    "PreemptParameters=send_user_signal",  # of those jobs that have one, as the grace time begins
    "PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP PreemptMode=OFF PriorityTier=1",
    "PartitionName=requeued Nodes=ALL MaxTime=INFINITE State=UP PreemptMode=REQUEUE PriorityTier=1",
    "PartitionName=graceful Nodes=ALL MaxTime=INFINITE State=UP PreemptMode=REQUEUE GraceTime=3 PriorityTier=1",
    "PartitionName=cancelled Nodes=ALL MaxTime=INFINITE State=UP PreemptMode=CANCEL PriorityTier=1",
    "PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PreemptMode=OFF PriorityTier=9",
)


def up(*options, bare=False, cpus=CPUS):
    # A job number that no other number in a job's environment is.
    lines = (f"NodeName=n[1-{len(COMPUTE)}] CPUs={cpus} RealMemory=4000 State=UNKNOWN", "FirstJobId=7001", *PREEMPTION)
    must(cluster.call("up", "--nodes", str(len(COMPUTE)), *options, *(word for line in lines for word in ("--conf", line))))
    shutil.copytree(PROGRAMS, cluster.shared("/shared/programs"))
    if bare:
        cluster.run("ctl", "sh", "-c", "chmod 755 /shared/programs/*.sh /shared/programs/*.py")
        return
    must(cluster.call("install", "--build", os.environ["CKPT_BUILD"]))
    cluster.run("ctl", "sh", "-ec", "cd /shared/programs && sh build.sh")
    cluster.run("ctl", "install", "-d", "-m", "711", STORE)
    set_policy(*NODES)
    for node in COMPUTE:
        cluster.run(node, "/shared/programs/leftovers.py", "--baseline")


def must(done):
    if done.returncode:
        sys.exit(done.returncode)


if sys.argv[1:] == ["up"]:
    up()
elif sys.argv[1:] == ["up", "tmp"]:
    up(*PRIVATE_TMP)
elif sys.argv[1:] == ["up", "acct"]:
    up("--accounting")
elif sys.argv[1:] == ["up", "bare"]:
    up(bare=True)
elif sys.argv[1:] == ["up", "load"]:
    up(*LOAD, cpus=LOAD_CPUS)
elif sys.argv[1] == "up":
    if memory_is_limited():
        up("--cgroup", sys.argv[2])
else:
    must(cluster.call("down"))
