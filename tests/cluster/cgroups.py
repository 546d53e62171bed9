# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""cgroup v2. A cluster is one cgroup and each node one below it, so the kernel itself knows which processes belong to them:
there are no pid files to be stale, and cgroup.kill ends all of them at once, however an earlier command was interrupted."""

import errno
import os
import select
from pathlib import Path

from report import ClusterError


def mount_point():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.startswith("cgroup2 "):
            return Path(fields.split()[4])
    raise ClusterError("no cgroup2 file system here", "Slurm's cgroup/v2 plugin needs one", "mount -t cgroup2 none DIR")


class Cgroup:
    def __init__(self, path):
        self.path = Path(path)

    def child(self, name):
        return Cgroup(self.path / name)

    def exists(self):
        return self.path.is_dir()

    def create(self):
        self.path.mkdir(exist_ok=True)
        return self

    def delegate_controllers(self):
        """Let children use what this cgroup may use (nothing on hosts whose controllers are bound to cgroup v1). The kernel
        refuses this for a cgroup that itself holds processes, which is why a node's processes live in leaves."""
        for controller in (self.path / "cgroup.controllers").read_text().split():
            try:
                (self.path / "cgroup.subtree_control").write_text("+" + controller)
            except OSError:
                pass  # e.g. cpu while realtime processes exist: Slurm works without
        return self

    def join(self):
        (self.path / "cgroup.procs").write_text("0")

    def pids(self):
        """The processes in this very cgroup, as the reader's pid namespace numbers them."""
        try:
            return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]
        except OSError:  # removed meanwhile
            return []

    def populated(self):
        try:
            return "populated 1" in (self.path / "cgroup.events").read_text()
        except OSError:
            return False

    def kill(self):
        """SIGKILL everything in and below this cgroup, and wait until it is gone."""
        if not self.exists():
            return
        (self.path / "cgroup.kill").write_text("1")
        with open(self.path / "cgroup.events") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while "populated 1" in events.read():
                poll.poll(1000)
                events.seek(0)

    def kill_and_remove(self):
        """In a loop, since an interrupted command's child may still be on its way into this cgroup."""
        while self.exists():
            self.kill()
            try:
                for path, _, _ in os.walk(self.path, topdown=False):  # its files cannot and need not be removed
                    os.rmdir(path)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
