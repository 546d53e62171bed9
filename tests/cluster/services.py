# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""What runs on a node, in the order of starting. There is no systemd; the commands are those of Debian's unit files."""

from dataclasses import dataclass

import accounting


@dataclass(frozen=True)
class Service:
    name: str
    on: str  # "all", "ctl" or "compute"
    command: str  # for sh, as root; may stay in the foreground or go to the background
    listens: int | str = ""  # the TCP port or Unix socket whose existence means that others may rely on it
    mounts: str = ""  # a mount point; it, too, is what others rely on
    needs: str = ""  # started only where this file exists
    then: str = ""  # for sh, as root, when the above is there: what others rely on too
    cgroup: str = "system.slice/{service}.service"  # below the node's; where its main process is

    @property
    def log(self):
        """Standard output and error."""
        return f"/var/log/{self.name}.log"

    @property
    def logs(self):
        """With the one that Slurm's daemons keep themselves."""
        return [self.log, f"/var/log/slurm/{self.name}.log"]


CKPTD = "/usr/sbin/ckptd"
# The disk of a file server whose export has root_squash, and where every node mounts it: root is nobody there.
SQUASH_DISK, SQUASH = "/srv/squash", "/squash"

SERVICES = [
    # A killed one leaves its mount, which answers nobody.
    Service("rootsquash", "all", mounts=SQUASH,
            command=f"umount -l {SQUASH} 2>/dev/null; exec /usr/libexec/cluster/rootsquash {SQUASH_DISK} {SQUASH}"),
    Service("munged", "all", listens="/run/munge/munge.socket.2",
            command="install -d -o munge -g munge /run/munge && "
                    "exec setpriv --reuid=munge --regid=munge --init-groups munged --foreground"),
    Service("mariadbd", "ctl", accounting.DATABASE_COMMAND, needs=accounting.DBD_CONF, listens=accounting.DATABASE_SOCKET),
    # slurmctld takes from it what accounts there are.
    Service("slurmdbd", "ctl", accounting.DBD_COMMAND, needs=accounting.DBD_CONF, listens=accounting.DBD_PORT,
            then=accounting.LOAD_COMMAND),
    Service("slurmctld", "ctl", "slurmctld", listens=6817),
    # Before slurmd, which starts jobs as soon as it is there. On ctl for sckpt: it stands for a login node too.
    Service("ckptd", "all", f"exec {CKPTD}", needs=CKPTD, listens="/run/ckptd/ckptd.sock"),
    # The host's uptime is not the node's: -b tells slurmctld that the node was booted, once for each life of /run.
    # slurmd moves itself beside the cgroups of its jobs, in cgroup v2.
    Service("slurmd", "compute", listens=6818, cgroup="system.slice/{node}_slurmstepd.scope/slurmd",
            command="[ ! -e /sys/fs/cgroup/cgroup.procs ] || export LD_PRELOAD=/usr/libexec/cluster/hybrid-cgroup.so; "
                    "if [ -e /run/booted ]; then slurmd; else touch /run/booted; slurmd -b; fi"),
]
