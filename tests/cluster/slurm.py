# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""Slurm's configuration, and whether Slurm is ready."""

import os

import session

CGROUP_CONF = """\
CgroupPlugin=cgroup/v2
IgnoreSystemd=yes
"""

# Jobs see the CPUs that are there, so that affinity is real; each CPU takes several jobs, so that a laptop is enough.
MAX_CPUS = 4
JOBS_PER_CPU = 4


def slurm_conf(cluster_name, compute_nodes, overrides=()):
    """slurm.conf as text. OVERRIDES are lines KEY=VALUE... that replace ours of the same key or are appended."""
    cpus = min(MAX_CPUS, os.cpu_count())
    nodes = f"n[1-{compute_nodes}]" if compute_nodes > 1 else "n1"
    lines = f"""\
ClusterName={cluster_name}
SlurmctldHost=ctl
SlurmUser=slurm
AuthInfo=cred_expire=5
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldDebug=debug
SlurmdDebug=debug
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmctldParameters=idle_on_node_suspend
SlurmdParameters=config_overrides
JobRequeue=1
KillWait=30
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=10
NodeName={nodes} CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:{JOBS_PER_CPU}
""".splitlines()
    for override in overrides:
        same = [index for index, line in enumerate(lines) if _key(line) == _key(override)]
        lines[same[0] if same else len(lines):] = [override, *(lines[same[0] + 1:] if same else [])]
    return "\n".join(lines) + "\n"


def _key(line):
    """What a line sets: NodeName and PartitionName occur once for each of their values."""
    key, _, value = line.split()[0].partition("=")
    return (key.lower(), value if key.lower() in ("nodename", "partitionname") else "")


def node_states(ctl_pid):
    """{node: state} as slurmctld sees it; empty while it does not answer."""
    output = session.capture(ctl_pid, ["sinfo", "--noheader", "--Node", "--format=%N %T"])
    return dict(line.split() for line in output.splitlines())
