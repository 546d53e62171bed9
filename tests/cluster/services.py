# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""What runs on a node, in the order of starting. There is no systemd; the commands are those of Debian's unit files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    name: str
    on: str  # "all", "ctl" or "compute"
    command: str  # for sh, as root; stays in the foreground
    ready: str = ""  # a path that exists when others may rely on the service
    needs: str = ""  # started only where this file exists
    cgroup: str = "system.slice/{service}.service"  # below the node's; where its main process is

    @property
    def log(self):
        return f"/var/log/{self.name}.log"


CKPTD = "/usr/libexec/slurm-checkpoint/ckptd"

SERVICES = [
    Service("munged", "all", ready="/run/munge/munge.socket.2",
            command="install -d -o munge -g munge /run/munge && "
                    "exec setpriv --reuid=munge --regid=munge --init-groups munged --foreground"),
    Service("slurmctld", "ctl", "exec slurmctld -D"),
    # Before slurmd, which starts jobs as soon as it is there.
    Service("ckptd", "compute", f"exec {CKPTD}", needs=CKPTD),
    # slurmd moves itself beside the cgroups of its jobs.
    Service("slurmd", "compute", "exec env LD_PRELOAD=/usr/libexec/cluster/hybrid-cgroup.so slurmd -D",
            cgroup="system.slice/{node}_slurmstepd.scope/slurmd"),
]
