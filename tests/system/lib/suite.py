# SPDX-License-Identifier: GPL-2.0-or-later
"""The frame of a test program: it starts from a known state, cannot run for ever, and shows what is needed to understand a failure."""

import os
import shutil
import signal
import sys
import unittest
from pathlib import Path

from lib import jobs, product
from lib.cluster import COMPUTE, cluster

LIMIT_S = int(os.environ.get("CKPT_LIMIT_S", "240"))  # below ctest's own limit, at which nobody could collect logs
TAIL = 40
SKIPPED = 77
LOGS = [("ctl", "slurmctld"), *((node, service) for node in COMPUTE for service in ("slurmd", "ckptd"))]


class SystemTest(unittest.TestCase):
    longMessage = True
    maxDiff = 4000

    def run(self, result=None):
        """A test that fails ends its jobs, which would disturb those after it."""
        first = len(jobs.submitted)
        failures = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > failures and len(jobs.submitted) > first:
            cluster.run("ctl", "scancel", *(str(job.id) for job in jobs.submitted[first:]))
        return result

    def assert_ended(self, info, state="COMPLETED", exit_code="0:0"):
        self.assertEqual((info["JobState"], info["ExitCode"]), (state, exit_code), f"JobId={info['JobId']}")

    def assert_one_complaint(self, job, pattern):
        """The job's output holds one clear line of ours about what went wrong, and nothing else of ours but successes."""
        lines = product.complaints(job.output())
        self.assertEqual(len(lines), 1, f"{job}: one line expected, got {lines}")
        self.assertRegex(lines[0], pattern)


def main(start=product.reset):
    """START brings the cluster into the state that the tests of this program begin with."""
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(LIMIT_S)
    offsets = {log: _size(log) for log in LOGS}
    start()
    jobs.forget_earlier()
    result = unittest.main(exit=False, verbosity=2).result
    signal.alarm(0)
    if not result.wasSuccessful():
        _report(offsets)
        sys.exit(1)
    sys.exit(_skips(result.skipped))


def _out_of_time(*_):
    signal.alarm(30)  # for the cleanup that the error causes
    raise AssertionError(f"the test program has run for {LIMIT_S} s")


def _skips(skipped):
    """A skip, which tests/lib/skips.py reports, is a failure in continuous integration."""
    if not skipped:
        return 0
    return 1 if os.environ.get("CI") == "true" else SKIPPED


def _size(log):
    path = cluster.log(*log)
    return path.stat().st_size if path.exists() else 0


def _report(offsets):
    """Output of every job and the logs of this test's time: whole into files, their ends to our output."""
    directory = Path(os.environ.get("CKPT_LOGS", "/tmp/slurm-checkpoint-logs")) / Path(sys.argv[0]).stem.removeprefix("test_")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for job in jobs.submitted:
        info = cluster.attempt("ctl", "scontrol", "show", "job", job.id).stdout
        _keep(directory / f"job-{job.id}.out", job.output(), f"output of {job}")
        (directory / f"job-{job.id}.info").write_text(info)
    for node, service in LOGS:
        path = cluster.log(node, service)
        text = path.read_bytes()[offsets[node, service]:].decode(errors="replace") if path.exists() else ""
        _keep(directory / f"{node}-{service}.log", text, f"{service} on {node}", show=service == "ckptd")
    print(f"\nall of it, with Slurm's logs: {directory} (cluster {cluster.name})")


def _keep(path, text, title, show=True):
    path.write_text(text)
    if show:
        lines = text.splitlines()
        print(f"\n---- {title}" + (f", last {TAIL} of {len(lines)} lines" if len(lines) > TAIL else ""))
        print("\n".join("    " + line for line in lines[-TAIL:]))
