# SPDX-License-Identifier: GPL-2.0-or-later
"""The cluster under test: tests/cluster/cluster as Python functions."""

import os
import subprocess
from pathlib import Path

from lib.waiting import wait_for

PROGRAM = Path(__file__).resolve().parents[2] / "cluster" / "cluster"
COMPUTE = ("n1", "n2")
NODES = ("ctl", *COMPUTE)
SLURM_CONF = "/etc/slurm/slurm.conf"


class Cluster:
    def __init__(self, name):
        self.name = name
        self._paths = {}

    def call(self, *arguments, **options):
        """`cluster ARGUMENTS`; options are those of subprocess.run."""
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        return subprocess.run(self.command(*arguments), text=True, errors="replace", **options)

    def command(self, *arguments):
        return [str(PROGRAM), "--name", self.name, *arguments]

    def attempt(self, node, *argv, user="root", input=""):
        """ARGV on NODE; the finished process with its output, whatever its exit status."""
        return self.call("exec", node, "--user", user, "--", *map(str, argv), input=input, capture_output=True)

    def run(self, node, *argv, user="root", input=""):
        """ARGV on NODE, which must succeed; its standard output."""
        done = self.attempt(node, *argv, user=user, input=input)
        if done.returncode:
            raise AssertionError(f"{node}: {' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def background(self, node, *argv, user="root"):
        """ARGV on NODE, running on; ends when its standard input, a pipe from us, does, or else when we terminate it."""
        return subprocess.Popen(self.command("exec", node, "--user", user, "--", *map(str, argv)), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def write(self, node, path, text, mode="644"):
        self.run(node, "sh", "-c", 'cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"', "sh", path, mode, input=text)

    def read(self, node, path):
        return self.run(node, "cat", path)

    def service(self, node, service, verb):
        self._must("service", node, service, verb)

    def configure(self, text):
        """TEXT becomes slurm.conf on every node, and comes into force."""
        for node in NODES:
            self.write(node, SLURM_CONF, text)
        self.run("ctl", "scontrol", "reconfigure")
        wait_for("slurmctld answers", lambda: not self.attempt("ctl", "scontrol", "ping").returncode)

    def kill_node(self, node):
        self._must("kill-node", node)

    def start_node(self, node):
        self._must("start-node", node)

    def _must(self, *arguments):
        done = self.call(*arguments, capture_output=True)
        if done.returncode:
            raise AssertionError(f"cluster {' '.join(arguments)}: {done.stderr}")

    def is_on(self, node):
        return self.attempt(node, "true").returncode == 0

    def shared(self, path):
        """A path below /shared, /home or /squash as the host, where the tests run, sees it, all of it: reading a job's output
        costs nothing."""
        path = str(path)
        if path.startswith("/home/"):
            path = "/shared" + path
        top, _, rest = path.removeprefix("/").partition("/")
        assert top in ("shared", "squash"), path
        return Path(self._path(f"/{top}")) / rest

    def log(self, node, service):
        """A service's log as the host sees it, also while the node is off."""
        return Path(self._path("logs").replace("NODE", node)) / f"{service}.log"

    def _path(self, name):
        if not self._paths:
            status = self.call("status", capture_output=True, check=True).stdout
            self._paths = dict(line.split(": ", 1) for line in status.splitlines() if ": " in line)
        return self._paths[name]


def memory_is_limited():
    """Whether a cluster with `up --cgroup v1` is possible here."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return any(kind == "cgroup" and "memory" in options.split(",") for _, _, kind, options, *_ in mounts)


cluster = Cluster(os.environ.get("CKPT_CLUSTER_NAME", "tests"))
