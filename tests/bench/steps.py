# SPDX-License-Identifier: GPL-2.0-or-later
"""steps.py CLUSTER ROUNDS: how long `srun true` takes in a job without --checkpoint and in one with it. The two jobs are on the same
node of the cluster, which is up, and take turns: what else goes on strikes both."""

import os
import random
import subprocess
import sys
from pathlib import Path
from statistics import median

PROGRAM = Path(__file__).resolve().parents[1] / "cluster" / "cluster"
WARM_UP = 5
# Tells which srun it has, runs each program that it is told, and tells how many milliseconds that took.
JOB = """#!/usr/bin/python3
import shutil, subprocess, time
with open("go") as go, open("took", "w") as took:
    print(shutil.which("srun"), file=took, flush=True)
    for program in go:
        begin = time.monotonic()
        subprocess.run([program.strip(), "true"], check=True)
        print((time.monotonic() - begin) * 1000, file=took, flush=True)
"""


class Cluster:
    def __init__(self, name):
        self.name = name
        status = self._call("status")
        self.shared = Path(next(line.split(": ", 1)[1] for line in status.splitlines() if line.startswith("/shared: ")))

    def as_alice(self, *argv, text=""):
        return self._call("exec", "ctl", "--user", "alice", "--", *argv, text=text)

    def _call(self, *arguments, text=""):
        done = subprocess.run([PROGRAM, "--name", self.name, *arguments], input=text, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return done.stdout


class Job:
    def __init__(self, cluster, name, *options):
        directory = f"/home/alice/{name}"
        cluster.as_alice("sh", "-ec", 'mkdir "$1" && mkfifo "$1/go" "$1/took"', "sh", directory)
        cluster.as_alice("sbatch", "--chdir", directory, "--ntasks=1", *options, text=JOB)
        here = cluster.shared / directory.lstrip("/")
        self._go, self._took = open(here / "go", "w"), open(here / "took")  # waits for the job
        self.srun = self._took.readline().strip()

    def time(self, program):
        print(program, file=self._go, flush=True)
        return float(self._took.readline())


def interval(values):
    """Of the median, with 95 % confidence, whatever the distribution: between which of the values it lies."""
    ordered, n = sorted(values), len(values)
    margin = 0.98 * n ** 0.5
    return ordered[max(int(n / 2 - margin), 0)], ordered[min(int(n / 2 + margin) + 1, n - 1)]


def report(title, values):
    low, high = interval(values)
    print(f"{title:60} median {median(values):6.1f} ms   95 % {low:6.1f} to {high:6.1f} ms")


def main():
    cluster, rounds = Cluster(sys.argv[1]), int(sys.argv[2])
    native, ours = Job(cluster, "native"), Job(cluster, "ours", "--checkpoint", "--checkpoint-interval=none")
    ways = {"without": (native, "srun"), "with": (ours, "srun"), "path": (ours, "/usr/bin/srun")}
    took = {name: [] for name in ways}
    for number in range(-WARM_UP, rounds):
        for name in random.sample(list(ways), len(ways)):
            job, program = ways[name]
            time = job.time(program)
            if number >= 0:
                took[name].append(time)
    print(f"srun true, {rounds} rounds, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    report(f"without --checkpoint, {native.srun}", took["without"])
    report(f"with --checkpoint, {ours.srun}", took["with"])
    report("  added, of the differences in each round", [a - b for a, b in zip(took["with"], took["without"])])
    report("with --checkpoint, srun called by its path", took["path"])


main()
