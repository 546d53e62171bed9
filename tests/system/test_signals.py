# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals reach the processes of a checkpointed job as they reach those of any other, before and after a restore, and whether or not
a checkpoint is being taken. The same script runs with and without --checkpoint, and each of its processes writes down what it gets."""

import signal

from lib import *

# On SIGHUP it signals its child, and its process group. Nobody handles SIGTTIN, which stops a process.
SCRIPT = """#!/bin/bash
mkdir -p logs
for signal in INT QUIT TERM USR1 USR2 TSTP CONT WINCH IO RTMIN+3; do trap "echo $signal >>logs/script" $signal; done
trap 'echo HUP >>logs/script; kill -WINCH $child; kill -IO 0' HUP
: >>logs/script
/shared/programs/signals.py child grandchild & child=$!
setsid /shared/programs/signals.py apart &
until [[ -e logs/child && -e logs/grandchild && -e logs/apart ]]; do sleep 0.05; done
echo "ready"
while kill -0 $child; do wait $child; done 2>>errors
"""
PROCESSES = ("script", "child", "grandchild", "apart")
GROUP = ("script", "child", "grandchild")  # what scancel --full reaches
LAST = "USR2"  # is sent to the whole group after each of these, so that everything has arrived when it has; but for a SIGTERM, about
# which slurmctld is asked first
CASES = (
    "--signal=USR1", "--batch --signal=USR1", "--full --signal=USR1",
    "--signal=STOP", "--signal=CONT", "--signal=TSTP",
    "--batch --signal=TSTP", "--batch --signal=CONT", "--full --signal=TSTP", "--full --signal=CONT",
    "--signal=INT", "--batch --signal=INT", "--full --signal=INT", "--full --signal=QUIT",
    "--batch --signal=TERM", "--full --signal=TERM",
    "--batch --signal=HUP", "--batch --signal=37", "--full --signal=37",
)


def log_of(job, process):
    path = job.path(f"logs/{process}")
    return path.read_text().splitlines() if path.exists() else []


def slurmctld_has_sent_all():
    """Its agents send what was asked for, each on its own: what comes later may arrive sooner (slurm src/slurmctld/agent.c)."""
    agents = [line for line in cluster.run("ctl", "sdiag").splitlines() if line.strip().startswith("Agent ")]
    return len(agents) == 3 and all(line.split()[-1] == "0" for line in agents)


class Signals:
    """Signals to several jobs at once, and which of them each process got: `got[case][job]`."""

    def __init__(self, *jobs):
        self.jobs = jobs
        self.got = {}
        self.read = {(job, process): len(log_of(job, process)) for job in jobs for process in PROCESSES}  # lines before these signals

    def send(self, *options):
        self.jobs[0].as_user("scancel", *options, *(job.name for job in self.jobs))

    def new(self, job, process):
        return log_of(job, process)[self.read[job, process]:]

    def note(self, case):
        """Everything sent until now has arrived when what is sent now has."""
        if case.endswith("TERM"):
            for job in self.jobs:
                wait_for(f"{job} has got SIGTERM", lambda: "TERM" in self.new(job, "script"))
        wait_for(f"slurmctld has sent {case}", slurmctld_has_sent_all)
        self.send("--full", f"--signal={LAST}")
        self.got[case] = {}
        for job in self.jobs:
            wait_for(f"{job} has got everything of {case}", lambda: all(LAST in self.new(job, process) for process in GROUP))
            self.got[case][job] = {process: sorted(self.new(job, process)) for process in PROCESSES}
            for process in PROCESSES:
                self.read[job, process] += len(self.got[case][job][process])

    def stopped(self, case, scope):
        """SIGTTIN, which stops; what stands still then; and SIGCONT."""
        self.send(scope, "--signal=TTIN")
        which = {job: wait_for(f"{job} stands still", lambda: stopped_processes(job)) for job in self.jobs}
        self.send(scope, "--signal=CONT")
        self.note(case)
        for job in self.jobs:
            self.got[case][job]["stopped"] = which[job]

    def suspended(self, case):
        for job in self.jobs:
            cluster.run("ctl", "scontrol", "suspend", job.id)
        for job in self.jobs:
            wait_for(f"{job} is frozen", lambda: is_frozen(job))
        for job in self.jobs:
            cluster.run("ctl", "scontrol", "resume", job.id)
        self.note(case)

    def all_cases(self):
        for case in CASES:
            self.send(*case.split())
            self.note(case)
        for scope in ("--batch", "--full"):
            self.stopped(f"{scope} stop and continue", scope)
        self.suspended("suspend and resume")
        return self.got


SIMPLE = """#!/bin/bash
mkdir -p logs
exec /shared/programs/signals.py script child grandchild
"""
SEND_SIGCONT = """
import os, sys, time
try:
    while True:
        for pid in map(int, sys.argv[1:]):
            os.kill(pid, 18)
        time.sleep(0.002)
except ProcessLookupError:
    pass
"""


def node_of(job):
    return job.info()["BatchHost"]


def processes(job, columns):
    """What ps says of the job's processes."""
    lines = cluster.run(node_of(job), "ps", "--no-headers", "-eo", f"{columns},cgroup:200").splitlines()
    return [line for line in lines if f"/{job.cgroup()}/" in line]


def stopped_processes(job):
    """The names of the job's stopped processes, each as often as there are."""
    words = (line.split() for line in processes(job, "state,comm"))
    return sorted(word[1] for word in words if word[0] == "T")


def is_frozen(job):
    find = f"find /sys/fs/cgroup -path '*/{job.cgroup()}/*' -name cgroup.events | xargs grep -h frozen"
    return "frozen 1" in cluster.attempt(node_of(job), "sh", "-c", find).stdout


class SignalsTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        """Their warning comes within half a minute (job_mgr.c:job_time_limit), for which the other tests need not wait."""
        cls.warned, cls.ended = {}, []
        for scope in ("B:", ""):
            jobs = [submit(SIMPLE, "--time=10", f"--signal={scope}USR1@600", *more, node="n2") for more in ((), ("--checkpoint-interval=1s",))]
            cls.warned[scope] = Signals(*jobs)

    def test_the_warning_before_the_time_limit(self):
        for scope, signals in self.warned.items():
            with self.subTest(scope):
                for job in signals.jobs:
                    job.wait_file("logs/grandchild", lines=0)
                    line = f"warning signal {int(signal.SIGUSR1)} to JobId={job.id}\n"
                    wait_for(f"{job} is warned", lambda: line in cluster.log("ctl", "slurm/slurmctld").read_text(errors="replace"))
                signals.note("warning")
                plain, job = signals.jobs
                self.assertEqual(signals.got["warning"][plain]["script"], ["CONT", "USR1", LAST] if scope else [LAST])
                self.compare(f"--signal={scope}USR1@…", signals.got["warning"][job], signals.got["warning"][plain])
                for one in signals.jobs:
                    one.path("go").touch()
                    self.assert_ended(end(one))
                self.assertEqual(complaints(job.output()), [])
                self.ended.extend(signals.jobs)
        assert_clean(*self.ended)

    def test_checkpoint_signal(self):
        """It is ours, and no process of the job's sees it."""
        job = submit(SIMPLE, "--checkpoint-signal=USR1", "--checkpoint-interval=none", node="n1")
        job.wait_file("logs/grandchild", lines=0)
        signals = Signals(job)
        for generation, scope in enumerate(("--batch", "--full"), start=1):
            signals.send(scope, "--signal=USR1")
            job.wait_output(f"generation {generation} saved")
        signals.note("--checkpoint-signal")
        self.assertEqual(signals.got["--checkpoint-signal"][job], {process: [LAST] if process in GROUP else [] for process in PROCESSES})
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(complaints(job.output()), [])
        self.ended.append(job)

    def test_sigcont_in_the_middle_of_a_dump(self):
        """It makes a traced process stop once more (kernel/signal.c:prepare_signal), which criu does not expect."""
        job = submit(SIMPLE, "--checkpoint", "--checkpoint-interval=none", node="n1")
        job.wait_file("logs/grandchild", lines=0)
        pids = [line.split()[0] for line in processes(job, "pid,comm") if line.split()[1] == "signals.py"]
        sender = cluster.background("n1", "python3", "-c", SEND_SIGCONT, *pids)
        for _ in range(5):
            cluster.run("n1", "sckpt", "create", job.id, user="alice")
        requeue(job, to="n2")
        sender.communicate(timeout=10)
        job.wait_output("restored generation 6")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(complaints(job.output()), [])
        self.ended.append(job)

    def compare(self, case, got, plain):
        with self.subTest(case):
            self.assertEqual(got, plain)

    def test_scancel_suspend_and_kill(self):
        plain = submit(SCRIPT, node="n1", name="plain")
        job = submit(SCRIPT, "--checkpoint-interval=1s", node="n1", name="checkpointed")
        for one in (plain, job):
            one.wait_output("ready")
        first = Signals(plain, job).all_cases()
        requeue(job, to="n2")
        job.wait_output("restored generation")
        again = Signals(job).all_cases()
        for case, got in first.items():
            print(f"{case}: {got[plain]}", flush=True)
            self.compare(case, got[job], got[plain])
            self.compare(f"{case}, restored", again[case][job], got[plain])
        # That these are the processes they are meant for, and not nobody:
        self.assertEqual(first["--batch --signal=USR1"][plain]["script"], ["USR1", LAST])
        self.assertEqual(first["--full --signal=USR1"][plain]["grandchild"], ["USR1", LAST])
        self.assertEqual(first["suspend and resume"][plain]["script"], ["CONT", "TSTP", LAST])

        # SIGKILL of the batch script alone
        Signals(plain, job).send("--batch", "--signal=KILL")
        infos = [end(one) for one in (plain, job)]
        self.assertEqual(*((info["JobState"], info["ExitCode"]) for info in infos))
        self.assertEqual(application_lines(job.output()), application_lines(plain.output()))
        self.assertEqual(complaints(job.output()), [])
        self.ended.extend((plain, job))


main()
