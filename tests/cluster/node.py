# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""One node: a machine with a name, an address, a disk that outlives it, and the services that it runs."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import container
import linux
import network
import session
from container import Machine
from report import ClusterError
from services import SERVICES, SQUASH_DISK
from waiting import wait_until


class Node:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.disk = cluster.directory / "nodes" / name
        self.cgroup = cluster.cgroup.machine(name)

    def pid_1(self):
        """Its pid 1, as this process sees it; None while the node is off."""
        return container.pid_1(self.cgroup)

    def running(self):
        pid = self.pid_1()
        if pid is not None:
            return pid
        self.cluster.require_up()
        if self.disk.is_dir():
            raise ClusterError(f"node {self.name} is off", remedy=f"{self.cluster.command} start-node {self.name}")
        known = " ".join(node.name for node in self.cluster.nodes())
        raise ClusterError(f"no node {self.name}", remedy=f"nodes of cluster {self.cluster.name}: {known}")

    def path(self, path):
        """A file of the running node, as a path on the host. Absolute symbolic links in it would lead to the host's files."""
        return Path(f"/proc/{self.running()}/root") / path.lstrip("/")

    def boot(self, layers):
        """Power on, as far as a machine with a network; its services come separately."""
        (self.disk / "root").mkdir(parents=True, exist_ok=True)
        shared = self.cluster.shared
        binds = [(shared, "/shared", False), (shared / "home", "/home", False), (self.cluster.squash, SQUASH_DISK, False)]
        machine = Machine(self.name, layers, self.disk / "root", self.disk, binds, self.cgroup)
        pid = container.start(machine, ["/usr/bin/sleep", "infinity"])
        network.plug_in(self.cluster.switch_pid(), self.name, pid)

    def power_off(self):
        """As if the plug were pulled: everything dies at once, without a word to anybody."""
        self.cgroup.kill_and_remove()

    def run(self, argv, user="root", prepare=None):
        """In the foreground, with our standard streams; the exit status. PREPARE is called in the node before."""
        return session.run(self.running(), argv, user, self.cgroup.child("user.slice"), prepare)

    def services(self):
        here = ("all", "ctl" if self.name == "ctl" else "compute")
        return [service for service in SERVICES if service.on in here]

    def service(self, name):
        for service in self.services():
            if service.name == name:
                return service
        raise ClusterError(f"no service {name} on {self.name}", remedy=" ".join(service.name for service in self.services()))

    def start(self, service):
        pid = self.running()
        if service.needs and not self.path(service.needs).exists():
            return
        self.cgroup.child("system.slice").create()
        session.start(pid, ["sh", "-c", service.command], service.log, self._start_cgroup(service))

    def wait_ready(self, service):
        if service.needs and not self.path(service.needs).exists():
            return
        pid = self.running()

        def ready():
            return (not service.listens or network.listens(pid, service.listens)) and (
                not service.mounts or container.has_mount(pid, service.mounts))

        wait_until(lambda: ready() or not self._alive(service), timeout=20)
        if not ready() or (service.then and session.call(pid, ["sh", "-c", service.then], service.log)):
            raise ClusterError(f"{service.name} does not start on {self.name}", "\n" + self.last_log_lines(service))

    def _alive(self, service):
        return self._start_cgroup(service).populated() or bool(self.service_pids(service))

    def _start_cgroup(self, service):
        return self.cgroup.child("system.slice").child(f"{service.name}.service")

    def stop(self, service):
        """SIGTERM, and SIGKILL if that has not helped."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.service_pids(service):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if wait_until(lambda: not self.service_pids(service), timeout=10):
                return

    def service_pids(self, service):
        if self.cgroup.v1:  # slurmd stays where it was started, and so do its jobs; restored ones are with ckptd
            return [pid for pid in self._start_cgroup(service).pids() if linux.name_of(pid) == service.name]
        path = service.cgroup.format(service=service.name, node=self.name)
        return self.cgroup.child(path).pids()

    def last_log_lines(self, service, count=10):
        logs = [self.path(log) for log in service.logs]
        lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-count:]]
        return "\n".join("    " + line for line in lines)
