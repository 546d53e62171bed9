# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""A whole cluster: the controller ctl and the compute nodes n1, n2, ..., up, down and in between.

All its processes are in one cgroup, all its mounts and network devices in namespaces that end with those processes, all its
files in one directory. `down` removes these, whatever state an interrupted command has left them in."""

import os
import shutil
import signal
import time
from contextlib import contextmanager

import accounting
import cgroups
import container
import host
import network
import rootfs
import slurm
from container import Machine
from node import Node
from paths import CLUSTERS
from report import ClusterError, step
from services import SERVICES
from waiting import wait_until

UNUSABLE = {"down", "unknown", "not_responding"}
USERS = {"alice": 2001, "bob": 2002}


class Cluster:
    def __init__(self, name):
        self.name = name
        self.command = f"cluster --name {name}"
        self.directory = CLUSTERS / name
        self.shared = self.directory / "shared"
        self.squash = self.directory / "squash"
        self.layers_file = self.directory / "layers"  # a node's disk goes only with those that it was first started on
        self._cgroup_name = f"slurm-checkpoint-{name}"
        self.cgroup = self._cgroup(path for path in cgroups.v1_paths(self._cgroup_name) if path.exists())

    def _cgroup(self, v1):
        return cgroups.Cgroup(cgroups.mount_point() / self._cgroup_name, v1)

    def locked(self):
        return host.locked(f"cluster-{self.name}")

    def is_up(self):
        return self.switch_pid() is not None

    def require_up(self):
        if not self.is_up():
            raise ClusterError(f"cluster {self.name} is down", remedy=f"{self.command} up")

    def switch_pid(self):
        return container.pid_1(self.cgroup.child("switch"))

    def node(self, name):
        return Node(self, name)

    def nodes(self):
        directory = self.directory / "nodes"
        names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
        return [Node(self, name) for name in sorted(names, key=lambda name: (name != "ctl", len(name), name))]

    def up(self, compute_nodes, conf, cgroup="v2", more_files=(), with_accounting=False):
        host.ensure_host_packages()
        layers = rootfs.layers()
        with self.locked():
            if self.is_up():
                raise ClusterError(f"cluster {self.name} is already up", remedy=f"{self.command} down")
            try:
                self._clear()  # what an interrupted command has left
                start = time.time()
                self._use_cgroup(cgroup)
                if with_accounting:
                    conf = (*accounting.SLURM_CONF, *conf)
                ctl_files = accounting.files(self.name, USERS) if with_accounting else {}
                self._boot(layers, compute_nodes, conf, cgroup, more_files, ctl_files)
                self.wait_registered(self.nodes()[1:], start)
                _block_signals()  # up it is: an interrupt that comes only now is too late to be told from success
            except BaseException:
                with _undisturbed():
                    self._clear()
                raise

    def _use_cgroup(self, version):
        v1 = cgroups.v1_paths(self._cgroup_name) if version == "v1" else ()
        if version == "v1" and len(v1) < len(cgroups.V1_CONTROLLERS):
            raise ClusterError("no cgroup v1 here", f"Slurm needs the hierarchies {' '.join(cgroups.V1_CONTROLLERS)} of it",
                               "up without --cgroup")
        self.cgroup = self._cgroup(v1)

    def _boot(self, layers, compute_nodes, conf, cgroup, more_files, ctl_files):
        names = ["ctl", *(f"n{number}" for number in range(1, compute_nodes + 1))]
        self._make_shared(layers)
        self.layers_file.write_text("\n".join(map(str, layers)))
        self.cgroup.create().delegate_controllers()
        self._start_switch(layers)
        files = {"/etc/hosts": network.hosts_file(names), "/etc/slurm/cgroup.conf": slurm.CGROUP_CONF[cgroup],
                 "/etc/slurm/slurm.conf": slurm.slurm_conf(self.name, compute_nodes, (*slurm.MEMORY_CONF[cgroup], *conf)),
                 **{f"/etc/slurm/{name}": text for name, text in dict(more_files).items()}}
        for name in names:
            node = self.node(name)
            node.boot(layers)
            for path, text in {**files, **(ctl_files if name == "ctl" else {})}.items():
                node.path(path).write_text(text)
        step(f"{len(names)} nodes: {' '.join(names)}")
        self.start_services(self.nodes())

    def _make_shared(self, layers):
        """What file servers give to every node: a home and a scratch directory for each user, and one where root is nobody."""
        scratch = self.shared / "scratch"
        scratch.mkdir(parents=True)
        scratch.chmod(0o1777)
        for user, uid in USERS.items():
            home = self.shared / "home" / user
            shutil.copytree(layers[-1] / "etc/skel", home)
            others = [directory / user for directory in (scratch, self.squash)]
            for path in others:
                path.mkdir(parents=True)
            for path in (home, *home.iterdir(), *others):
                os.chown(path, uid, uid)
            for path in (home, *others):
                path.chmod(0o700)

    def _start_switch(self, layers):
        mount_point = self.directory / "switch"
        mount_point.mkdir()
        machine = Machine("switch", layers, mount_point, cgroup=self.cgroup.child("switch"))
        network.make_switch(container.start(machine, ["/usr/bin/sleep", "infinity"]))

    def start_services(self, nodes):
        """Service by service rather than node by node: a service may need those before it on other nodes too."""
        for service in SERVICES:
            concerned = [node for node in nodes if service in node.services()]
            for node in concerned:
                node.start(service)
            for node in concerned:
                node.wait_ready(service)

    def wait_registered(self, nodes, since, timeout=60):
        """Until slurmctld counts on NODES, whose slurmd have started at or after SINCE."""
        ctl = self.node("ctl").running()
        names = {node.name for node in nodes}

        def registered():
            states = slurm.node_states(ctl)
            usable = {name for name, (state, start) in states.items() if start >= int(since) and not state & UNUSABLE}
            return states and names <= usable

        if not wait_until(registered, timeout, interval=0.05):
            states = slurm.node_states(ctl) or "slurmctld does not answer"
            raise ClusterError("Slurm does not get ready", f"{states}\n{self._logs()}")
        step(f"Slurm is ready: {' '.join(sorted(names))}")

    def _logs(self):
        return "\n".join(f"  {node.name} {service.name}:\n{node.last_log_lines(service)}" for node in self.nodes()
                         if node.pid_1() for service in node.services() if service.name.startswith("slurm"))

    def down(self):
        with self.locked(), _undisturbed():
            self._clear()
        rootfs.remove_partial()

    def _clear(self):
        self.cgroup.kill_and_remove()
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def kill_node(self, name):
        with self.locked():
            node = self.node(name)
            node.running()  # else an error that says why not
            node.power_off()

    def start_node(self, name):
        with self.locked():
            self.require_up()
            node = self.node(name)
            if not node.disk.is_dir():
                node.running()  # an error that says which nodes there are
            if node.pid_1():
                raise ClusterError(f"node {name} is already running")
            try:
                self._start_node(node)
            except BaseException:
                with _undisturbed():
                    node.power_off()
                raise

    def set_network(self, name, state):
        self.require_up()
        self.node(name).running()
        network.set_port(self.switch_pid(), name, state)

    def _start_node(self, node):
        start = time.time()
        node.boot(self.layers_file.read_text().splitlines())
        self.start_services([node])
        if node.name == "ctl":
            self.wait_registered([peer for peer in self.nodes()[1:] if peer.pid_1()], since=0)
        elif self.node("ctl").pid_1():
            self.wait_registered([node], start)


@contextmanager
def _undisturbed():
    """Clean-up runs to its end: ^C and SIGTERM wait until it is done."""
    blocked = _block_signals()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _block_signals():
    return signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
