# SPDX-License-Identifier: GPL-2.0-or-later
"""One round: jobs of every kind are submitted and ended by force at random moments while faults strike; then all is mended, and every
job has to come to its end."""

import collections
import re
import time

from lib import *
from lib.cluster import COMPUTE
from lib.jobs import ENDED
from lib.product import daemon_answers
from lib.store import directory_of, untidy

LINES = 50
STATUS = 7  # of a job that was not disturbed; its checkpoints are kept then
COUNT = f". /shared/programs/gate.sh; count line 1 {LINES}; gate go"
Kind = collections.namedtuple("Kind", "options script lines")
LINE = [f"line {i}" for i in range(1, LINES + 1)]
KINDS = {
    "script": Kind((), f"{COUNT}", {"": LINE}),
    "copied": Kind((), f"{COUNT} | tee copy", {"": LINE}),
    "background": Kind((), f"({COUNT}) & wait", {"": LINE}),
    "step": Kind((), f"srun --ntasks=1 bash -c '{COUNT}'", {"": LINE}),
    "tasks": Kind(("--ntasks=2",), f"srun --label bash -c '{COUNT}'", {"0: ": LINE, "1: ": LINE}),
    "nodes": Kind(("--nodes=2", "--ntasks-per-node=1"), f"srun --label bash -c '{COUNT}'", {"0: ": LINE, "1: ": LINE}),
}
ENDS = ("scontrol requeue", "sckpt requeue", "time limit", "none")
FAULTS = 24
FAULTS_BEFORE = 6  # the submission, which is what a launch meets
AGENDA_S = 10
NETWORK_S = 2
CLOCK_S = 4
END_S = 240
KILLED = re.compile(r"line \d+: +\d+ Killed")
# Slurm's own words, when a job is about to end, or slurmctld or another node is not reached.
NO_STEP = re.compile(r"srun: error: (?:Unable to create step|Task launch for StepId=\S+ failed)")
# A process of the job itself that is killed ends it, or its step, as it would have without us.
IN_JOBS = ("shim.", "init.", "srun.")


class Round:
    """After run(): what has struck, and what is broken that must not be."""

    def __init__(self, random, faults):
        self.random, self.faults = random, faults
        self.jobs, self.again = {}, {}
        self.struck, self.broken = [], []
        self.ends = collections.defaultdict(list)

    def run(self):
        self.faults.begin()
        drawn = [self.faults.draw() for _ in range(FAULTS)]
        mends = [mend for fault in drawn[:FAULTS_BEFORE] for mend in self.make(fault)]
        agenda = [*mends, *self.faults_to_come(drawn[FAULTS_BEFORE:]), *self.submitted()]
        self.follow(agenda)
        self.faults.mend()
        self.mend_daemons()
        for job in self.jobs.values():
            job.path("go").touch()
        if self.wait_for_ends(self.jobs):
            self.struck = self.faults.over()
            self.judge_jobs()
            self.go_on_from_what_is_kept()
            self.judge_what_is_left()
        self.faults.miss(drawn, self.struck)

    # An agenda is a list of (second, action), the seconds from its beginning on.

    def moment(self):
        return self.random.random() * AGENDA_S

    def make(self, fault):
        self.faults.make(fault)
        if fault.place == "network":
            return [(NETWORK_S, lambda: self.faults.mend_network(fault.node))]
        if fault.place == "clock":
            return [(CLOCK_S, lambda: self.faults.mend_clock(fault.node))]
        return []

    def faults_to_come(self, faults):
        return [(self.moment(), lambda fault=fault: self.make(fault)) for fault in faults]

    def submitted(self):
        agenda = []
        for name, kind in KINDS.items():
            script = f"#!/bin/bash\n{kind.script}\nexit {STATUS}\n"
            node = None if name == "nodes" else self.random.choice(COMPUTE)
            self.jobs[name] = submit(script, "--checkpoint-interval=1s", "--time=10", *kind.options, node=node, name=name)
            for _ in range(self.random.choice((1, 1, 2))):
                how, second, other = self.random.choice(ENDS), self.moment(), self.random.choice((None, *COMPUTE))
                agenda.append((second, lambda name=name, how=how, other=other: self.end_by_force(name, how, other)))
        return agenda

    def end_by_force(self, name, how, other):
        """Any of it may be refused: the job waits, or ckptd hangs. A requeued one goes on where Slurm wants, or on OTHER."""
        job = self.jobs[name]
        self.ends[name].append(how)
        if how == "scontrol requeue":
            cluster.attempt("ctl", "scontrol", "requeue", job.name)
        elif how == "sckpt requeue":
            cluster.attempt("ctl", "timeout", "5", "sckpt", "requeue", job.name, user=job.user)
        elif how == "time limit":
            cluster.attempt("ctl", "scontrol", "update", f"JobId={job.name}", "EndTime=now+2seconds")
        if other and name != "nodes":
            cluster.attempt("ctl", "scontrol", "update", f"JobId={job.name}", f"ReqNodeList={other}")

    def follow(self, agenda):
        """An action may return what has to be done some seconds after it."""
        begun = time.monotonic()
        agenda = sorted(agenda, key=lambda entry: entry[0])
        while agenda:
            second, action = agenda.pop(0)
            self.start_ended_daemons()
            time.sleep(max(0.0, begun + second - time.monotonic()))  # nothing is awaited: the moment is what is random
            now = time.monotonic() - begun
            agenda = sorted([*agenda, *((now + later, mend) for later, mend in action() or [])], key=lambda entry: entry[0])

    def start_ended_daemons(self):
        """As systemd does. One that meets its next fault at once is started again later."""
        for node in COMPUTE:
            if cluster.attempt(node, "pgrep", "-x", "ckptd").returncode:
                cluster.call("service", node, "ckptd", "start", capture_output=True)

    def mend_daemons(self):
        for node in COMPUTE:
            wait_for(f"ckptd of {node} is at work", lambda node=node: self.start_ended_daemons() or daemon_answers(node))

    def wait_for_ends(self, jobs):
        """Whether all end. An admin releases what is held; that may be more than once."""
        def ended(job):
            info = job.info()
            if info["JobState"] == "PENDING" and info["Priority"] == "0":
                cluster.attempt("ctl", "scontrol", "release", job.name)
            return info["JobState"] in ENDED

        try:
            wait_for("every job has ended", lambda: all([ended(job) for job in jobs.values()]), timeout=END_S, interval=0.5)
            return True
        except AssertionError:
            for name, job in jobs.items():
                info = job.info()
                if info["JobState"] not in ENDED:
                    self.broken.append(f"{job} ({name}) does not end: {info['JobState']} {info.get('Reason')} {info.get('AdminComment')}")
            self.struck = self.faults.over()
            return False

    def judge_jobs(self):
        victims = {struck.job for struck in self.struck if struck.word == "crash" and struck.place.startswith(IN_JOBS)}
        for name, job in self.jobs.items():
            self.judge(name, job, killed=job.id in victims)

    def judge(self, name, job, killed=False):
        info = job.info()
        lines = application_lines(job.output())
        state = (info["JobState"], info["ExitCode"])
        if killed or (state[0] == "TIMEOUT" and "time limit" in self.ends[name]) or NO_STEP.search(job.output()):
            if not whole_or_beginning(lines, KINDS[name].lines):
                self.broken.append(f"{job} ({name}), {state}: its output is no beginning of what an undisturbed run writes")
        elif state != ("FAILED", f"{STATUS}:0"):
            self.broken.append(f"{job} ({name}): {state}")
        elif by_task(lines, KINDS[name].lines) != KINDS[name].lines:
            self.broken.append(f"{job} ({name}): its output is not what an undisturbed run writes")

    def go_on_from_what_is_kept(self):
        """Whatever sckpt shows of a job that has ended can be gone on from."""
        for name, job in self.jobs.items():
            if not generations(job):
                continue
            verified = cluster.attempt("n1", "sckpt", "verify", job.id, user=job.user)
            if verified.returncode:
                self.broken.append(f"{job} ({name}): {verified.stdout}{verified.stderr}")
            kind = KINDS[name]
            script = f"#!/bin/bash\n{kind.script}\nexit {STATUS}\n"
            self.again[name] = submit(script, f"--checkpoint-restore={job.id}", *kind.options, node=None, name=f"{name}-again")
        for job in self.again.values():
            job.path("go").touch()
        if self.wait_for_ends(self.again):
            for name, job in self.again.items():
                self.judge_again(name, job)

    def judge_again(self, name, job):
        """Its own output begins where the checkpoint was taken."""
        info = job.info()
        state = (info["JobState"], info["ExitCode"])
        expected, found = KINDS[name].lines, by_task(application_lines(job.output()), KINDS[name].lines)
        goes_on = "checkpoint: restored generation" in job.output()
        if state != ("FAILED", f"{STATUS}:0") or not goes_on:
            self.broken.append(f"{job} ({name}, again): {state}, {job.output()[:200]!r}")
        elif any(found[label] != expected[label][len(expected[label]) - len(found[label]):] for label in expected):
            self.broken.append(f"{job} ({name}, again): its output is no end of what an undisturbed run writes")

    def judge_what_is_left(self):
        try:
            assert_clean(*self.jobs.values(), *self.again.values())
        except AssertionError as error:
            self.broken.append(str(error))
        for name, job in self.jobs.items():
            if generations(job):
                self.broken += [f"{job} ({name}): in the store {what}" for what in untidy(directory_of(job))]


def by_task(lines, labels):
    return {label: [line.removeprefix(label) for line in lines if line.startswith(label)] for label in labels}


def whole_or_beginning(lines, expected):
    """But for what a shell says itself of an srun that was killed."""
    found = by_task([line for line in lines if not KILLED.search(line)], expected)
    return all(found[label] == expected[label][:len(found[label])] for label in expected)
