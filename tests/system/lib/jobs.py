# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs as a user has them: submitted with sbatch, looked at with scontrol, their output read from the shared file system."""

import functools
import itertools
import os
import shlex
import shutil
import sys

from lib.cluster import cluster
from lib.waiting import wait_for

ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}

_numbers = itertools.count(1)
submitted = []  # every Job of this test program; lib/suite.py shows their output when a test fails


@functools.cache
def slurm_version():
    """(24, 11)"""
    return tuple(int(number) for number in cluster.run("ctl", "scontrol", "--version").split()[1].split(".")[:2])


class Job:
    """ID is its number; NAME what Slurm's commands call it, which for an element of an array is something like 12_1: there the
    number may stand for the whole array."""

    def __init__(self, job_id, directory, output, user, name=None):
        self.id, self.directory, self.output_path, self.user = int(job_id), directory, output, user
        self.name = name or str(job_id)
        submitted.append(self)

    def __str__(self):
        return f"job {self.name}"

    def info(self):
        """What `scontrol show job` says, as a dictionary."""
        return parse(cluster.run("ctl", "scontrol", "--oneliner", "show", "job", self.name))

    def cgroup(self):
        """The name of its cgroup's directory: since Slurm 26.05 its SLUID."""
        if slurm_version() < (26, 5):
            return f"job_{self.id}"
        return cluster.run("ctl", "squeue", "--noheader", "--states=all", f"--jobs={self.id}", "--Format=sluid:40").strip()

    def path(self, name):
        """A file in the job's directory, as the tests see it."""
        return cluster.shared(self.directory) / name

    def output(self):
        """Standard output and error, to this moment."""
        path = cluster.shared(self.output_path)
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_output(self, text, timeout=60):
        """Until TEXT is in its output. A job that has ended will not write it any more."""
        def written_or_ended():
            return text in self.output() or (self.info()["JobState"] in ENDED and "ended")

        if wait_for(f"{self} writes {text!r}", written_or_ended, timeout) == "ended" and text not in self.output():
            raise AssertionError(f"{self} has ended and has not written {text!r}")

    def wait_file(self, name, lines=1, timeout=60):
        """Until the file NAME in its directory has that many lines."""
        def long_enough():
            path = self.path(name)
            return path.exists() and path.read_bytes().count(b"\n") >= lines

        wait_for(f"{lines} lines in {name} of {self}", long_enough, timeout)

    def wait_info(self, what, condition, timeout=60):
        """Until CONDITION, a function of info(), holds; that info."""
        def look():
            info = self.info()
            return info if condition(info) else None

        return wait_for(f"{self} {what}", look, timeout)

    def wait_running(self, node, timeout=60):
        def running(info):
            if info["JobState"] == "PENDING" and info["Priority"] == "0":
                raise AssertionError(f"{self} is held: {info['Reason']}, {info.get('AdminComment') or info.get('Comment')}")
            return info["JobState"] == "RUNNING" and info.get("BatchHost") == node

        self.wait_info(f"runs on {node}", running, timeout)

    def as_user(self, *argv):
        return cluster.run("ctl", *argv, user=self.user)


def parse(line):
    """KEY=VALUE KEY=VALUE…, in which values such as Comment hold blanks; a word without "=", or with a key that was there already
    (a command that our comment recommends), continues the value before it."""
    info, key = {}, None
    for word in line.split():
        name, equals, value = word.partition("=")
        if equals and name not in info and name[:1].isupper() and name.replace("/", "").replace(":", "").isalnum():
            key = name
            info[key] = value
        elif key:
            info[key] += " " + word
    return info


def directory_of_test(user, homes="/home"):
    test = os.path.basename(sys.argv[0]).removesuffix(".py").removeprefix("test_")
    return f"{homes}/{user}/{test}"


def forget_earlier():
    """What an earlier run of this test program has left in the users' homes."""
    for user in ("alice", "bob"):
        for homes in ("/home", "/squash"):
            shutil.rmtree(cluster.shared(directory_of_test(user, homes)), ignore_errors=True)


def submit(script, *options, node="n1", user="alice", name=None, output=None, prefix=(), homes="/home"):
    """Submit SCRIPT, as text, to NODE, with a directory of its own in the user's home, which is in HOMES, as working directory."""
    directory = f"{directory_of_test(user, homes)}/{next(_numbers)}-{name or 'job'}"
    done = attempt_submit(script, *options, "--chdir", directory, *(["--nodelist", node] if node else []),
                          *(["--output", output] if output else []), user=user, prefix=prefix, directory=directory)
    if done.returncode:
        raise AssertionError(f"sbatch {shlex.join(map(str, options))}: status {done.returncode}\n{done.stderr}")
    job_id = done.stdout.strip().split(";")[0]
    job = Job(job_id, directory, output or f"{directory}/slurm-{job_id}.out", user)
    job.advice = done.stderr
    return job


def attempt_submit(script, *options, user="alice", prefix=(), directory="/home/alice"):
    """sbatch with SCRIPT on its standard input; the finished process."""
    command = 'mkdir -p "$1" && cd "$1" && shift && exec env "$@"'
    return cluster.attempt("ctl", "sh", "-c", command, "sh", directory, *prefix, "sbatch", "--parsable", *map(str, options),
                           user=user, input=script)


def requeue(*jobs, to, hold=False, wait=True):
    """Requeue JOBS as their user and have them start again on the node TO, or on the nodes. With HOLD they wait there for
    `scontrol release`."""
    jobs[0].as_user("scontrol", "requeuehold" if hold else "requeue", ",".join(job.name for job in jobs))
    for job in jobs:
        # COMPLETING until its last epilog has ended; then pending for some seconds, since credentials must expire.
        job.wait_info("is requeued", lambda info: info["JobState"] in ("PENDING", "REQUEUED", "REQUEUE_HOLD"))
    for job in jobs:
        job.as_user("scontrol", "update", f"JobId={job.name}", f"ReqNodeList={to}")
    if wait and not hold:
        for job in jobs:
            job.wait_running(to)


def end(job, timeout=90):
    """Wait until JOB has ended for good; its info."""
    return job.wait_info("ends", lambda info: info["JobState"] in ENDED, timeout)


def array_element(array, index):
    """Element INDEX of ARRAY, which was submitted with an output whose name holds "%a", once it runs."""
    name = f"{array.id}_{index}"

    def started():
        info = parse(cluster.attempt("ctl", "scontrol", "--oneliner", "show", "job", name).stdout)
        return info if info.get("JobState") == "RUNNING" else None

    job = wait_for(f"{name} runs", started)
    return Job(job["JobId"], array.directory, array.output_path.replace("%a", str(index)), array.user, name)


def wait_all(jobs, timeout=90):
    return [end(job, timeout) for job in jobs]
