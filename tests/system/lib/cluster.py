# SPDX-License-Identifier: GPL-2.0-or-later
"""The cluster under test: tests/cluster/cluster as Python functions."""

import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from lib.waiting import wait_for

PROGRAM = Path(__file__).resolve().parents[2] / "cluster" / "cluster"
COMPUTE = tuple(f"n{i}" for i in range(1, int(os.environ.get("CKPT_NODES", "2")) + 1))
NODES = ("ctl", *COMPUTE)
SLURM_CONF = "/etc/slurm/slurm.conf"


def load(path):
    """A program of ours as a module, which finds its modules beside it."""
    sys.path.insert(0, str(path.parent))
    module = module_from_spec(spec_from_loader(f"{path.name}_program", SourceFileLoader(f"{path.name}_program", str(path))))
    module.__loader__.exec_module(module)
    return module


program = load(PROGRAM)


class Cluster:
    def __init__(self, name):
        self.name = name
        self._paths = {}

    def call(self, *arguments, **options):
        """`cluster ARGUMENTS`; options are those of subprocess.run."""
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        return subprocess.run(**self._forked(arguments), text=True, errors="replace", **options)

    def _forked(self, arguments):
        """Arguments of subprocess.Popen. The program is run by a copy of ourselves: what a test mostly does is to ask Slurm, ten
        times a second, and a new interpreter each time would take most of a processor from the jobs."""
        command = [str(PROGRAM), "--name", self.name, *arguments]
        return {"args": command, "preexec_fn": lambda: _become(command)}

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
        arguments = ("exec", node, "--user", user, "--", *map(str, argv))
        return subprocess.Popen(**self._forked(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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

    def set_network(self, node, state):
        """"down": nothing reaches the node, or comes from it, until it is "up" again."""
        self._must("network", node, state)

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


def _become(command):
    """In a child of ours: run the program instead of executing it. Its standard streams are in place."""
    status = 1
    try:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the last of these tells subprocess that the child is under way
        sys.argv = command
        sys.stdout, sys.stderr = (open(number, "w", errors="backslashreplace", closefd=False) for number in (1, 2))
        status = program.main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def memory_is_limited():
    """Whether a cluster with `up --cgroup v1` is possible here."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return any(kind == "cgroup" and "memory" in options.split(",") for _, _, kind, options, *_ in mounts)


cluster = Cluster(os.environ.get("CKPT_CLUSTER_NAME", "tests"))
