# SPDX-License-Identifier: GPL-2.0-or-later
"""A first launch with --checkpoint gives the application what it gets without: the same program tells all it was born with, in a
job with and in a job without the option. DIFFERENCES are the documented ones (docs/behaviour.md)."""

import re

from lib import *

DIFFERENCES = re.compile(
    r"environment: (SLURM_SPANK_|SPANK_|SLURM_CHECKPOINT_)"  # the options and the identity of the checkpoints
    r"|SLURM_TASK_PID is this process"  # it is the shim's, which stands where Slurm sees the task
    r"|parent: ")  # ckpt-init rather than slurmstepd
OUR_SRUN = "environment: PATH=/usr/libexec/slurm-checkpoint/bin:"  # docs/steps.md
VARIES = re.compile(r"environment: (SLURM_JOB_(START|END)_TIME)=")  # from any job to the next


def born_with(job):
    text = job.output().replace(job.directory, "DIRECTORY")
    text = text.replace(job.cgroup(), "CGROUP")
    for spelling in (f"job{job.id:05}", f"slurm-{job.id}.out", f"={job.id}\n"):
        text = text.replace(spelling, spelling.replace(f"{job.id:05}", "JOB").replace(str(job.id), "JOB"))
    lines = (line.replace(OUR_SRUN, "environment: PATH=") for line in text.splitlines())
    return [line for line in lines if not VARIES.match(line)]


class FirstLaunch(SystemTest):
    def compare(self, *options, script="#!/shared/programs/probe\n", prefix=(), user="alice"):
        """What a job has without and with --checkpoint, and in which lines they differ undocumented."""
        jobs = []
        for more in ((), ("--checkpoint",)):  # one after the other, so that both get the same processors
            jobs.append(submit(script, *options, *more, prefix=prefix, user=user))
            self.assert_ended(end(jobs[-1]))
        plain, with_option = ([line for line in born_with(job) if not DIFFERENCES.match(line)] for job in jobs)
        self.assertGreater(len(plain), 60)
        self.assertEqual(with_option, plain)
        assert_clean(*jobs)
        return plain

    def test_a_plain_job(self):
        lines = self.compare()
        self.assertIn("working directory: DIRECTORY", lines)

    def test_what_the_user_has_changed_at_submit(self):
        """umask, limits, niceness and variables, which sbatch hands on."""
        script = "#!/bin/sh\nexec /shared/programs/probe one 'two words' ''\n"
        lines = self.compare("--nice=5", "--propagate=ALL", "--cpus-per-task=2", "--export=ALL,MINE=a b", script=script,
                             prefix=("sh", "-c", 'umask 027; ulimit -n 333; ulimit -c 0; ulimit -s 4096; exec "$@"', "sh"))
        text = "\n".join(lines)
        self.assertRegex(text, r"Umask:\s+0027")
        self.assertRegex(text, r"Max open files +333 ")
        self.assertIn("environment: MINE=a b", text)
        self.assertIn("argument 2: two words", text)

    def test_ignored_and_blocked_signals(self):
        script = """#!/usr/bin/python3
import os, signal
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGRTMIN])
os.execv("/shared/programs/probe", ["probe"])
"""
        self.assertIn(f"signal 12: ignored", self.compare(script=script))

    def test_streams_and_another_user(self):
        self.compare("--input=/etc/hostname", "--error=/dev/null", user="bob")


main()
