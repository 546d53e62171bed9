# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""Slurm's configuration, and whether Slurm is ready."""

import json

import session

CGROUP_CONF = {
    "v2": "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n",
    "v1": "CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n",
}
# Where memory is limited it is allocated too: a job that does not say how much it needs would get all of the node's.
MEMORY_CONF = {"v2": (), "v1": ("SelectTypeParameters=CR_CPU_Memory", "DefMemPerCPU=500")}

# The same on every machine, with config_overrides for one that has fewer: there task/affinity wraps around, and tasks are still
# bound to CPUs that exist.
CPUS = 4


def slurm_conf(cluster_name, compute_nodes, overrides=()):
    """slurm.conf as text. OVERRIDES are lines KEY=VALUE... that replace ours of the same key or are appended."""
    nodes = f"n[1-{compute_nodes}]" if compute_nodes > 1 else "n1"
    text = f"""\
ClusterName={cluster_name}
SlurmctldHost=ctl
SlurmUser=slurm
AuthInfo=cred_expire=5
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
SlurmctldDebug=debug
SlurmdDebug=debug
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
JobRequeue=1
KillWait=30
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=5
NodeName={nodes} CPUs={CPUS} RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    lines = {_key(line): line for line in [*text.splitlines(), *overrides]}
    return "\n".join(lines.values()) + "\n"


def _key(line):
    """What a line sets: NodeName and PartitionName occur once for each of their values."""
    first = line.split()[0].lower()
    return first if first.startswith(("nodename=", "partitionname=")) else first.partition("=")[0]


def node_states(ctl_pid):
    """{node: (set of state and flags, when its slurmd started)} as slurmctld sees it; empty while it does not answer."""
    output = session.capture(ctl_pid, ["scontrol", "show", "node", "--json"])
    nodes = json.loads(output)["nodes"] if output else []
    return {node["name"]: ({flag.lower() for flag in node["state"]}, node["slurmd_start_time"]["number"]) for node in nodes}
