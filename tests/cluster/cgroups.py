# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""cgroup v2. A cluster is one cgroup and each node one below it, so the kernel itself knows which processes belong to them:
there are no pid files to be stale, and cgroup.kill ends all of them at once, however an earlier command was interrupted.

With `up --cgroup v1` there is one of the same name in each hierarchy of cgroup v1 that Slurm is given, too, and whoever joins the
one joins these: then a node sees in them, as in cgroup v2, nothing but its own."""

import errno
import os
import select
from pathlib import Path

from report import ClusterError
from waiting import wait_until

# What Slurm's cgroup/v1 needs to track processes and to limit memory. Not cpuset: nodes have more CPUs than the machine.
V1_CONTROLLERS = ("freezer", "memory")


def mount_point():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.startswith("cgroup2 "):
            return Path(fields.split()[4])
    raise ClusterError("no cgroup2 file system here", "Slurm's cgroup/v2 plugin needs one", "mount -t cgroup2 none DIR")


def v1_paths(name):
    """Where the cgroup NAME is, or would be, in the hierarchies of cgroup v1."""
    paths = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        if kind == "cgroup" and set(V1_CONTROLLERS) & set(options.split(",")):
            paths.append(Path(fields.split()[4]) / name)
    return paths


class Cgroup:
    """V1: directories in hierarchies of cgroup v1 whose members are those of this one."""

    def __init__(self, path, v1=()):
        self.path, self.v1 = Path(path), tuple(v1)

    def child(self, name):
        """A part of the same machine: in cgroup v1 there is no need for one."""
        return Cgroup(self.path / name, self.v1)

    def machine(self, name):
        return Cgroup(self.path / name, [path / name for path in self.v1])

    def exists(self):
        return self.path.is_dir()

    def create(self):
        for path in (self.path, *self.v1):
            path.mkdir(exist_ok=True)
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
        for path in (self.path, *self.v1):  # v2 first: nobody is in v1 whom `kill` would not find
            (path / "cgroup.procs").write_text("0")

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
                self._thaw()
                poll.poll(1000)
                events.seek(0)

    def _thaw(self):
        """In cgroup v1 a frozen process does not die."""
        for top in self.v1:
            for directory, _, files in os.walk(top):
                if "freezer.state" in files:
                    Path(directory, "freezer.state").write_text("THAWED")

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
        for top in self.v1:
            if not wait_until(lambda: _removed(top), timeout=10, interval=0.05):
                raise ClusterError(f"{top} cannot be removed", "a process is in it that is not in the cluster's cgroup v2")


def _removed(top):
    try:
        for path, _, _ in os.walk(top, topdown=False):
            os.rmdir(path)
    except OSError as error:
        if error.errno != errno.EBUSY:  # the kernel is not done yet with one that has been killed
            raise
    return not top.exists()
