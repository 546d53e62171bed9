# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of load need: arrays of many jobs, many commands at once, and what ckptd keeps while they run."""

import json
import re
import threading
import time

from lib.cluster import COMPUTE, cluster
from lib.jobs import ENDED, Job, parse, submit
from lib.product import complaints
from lib.suite import SystemTest
from lib.waiting import wait_for

# What a command of ours says when it refuses: one line, with what to look up.
REFUSAL = re.compile(r"sckpt: error: [^\n]+ \[CKPT-\d{3}\]\n")
# Nobody looks ten times a second at hundreds of jobs.
PAUSE_S = 1


def facts(node):
    return json.loads(cluster.run(node, "/shared/programs/daemon_facts.py"))


def at_rest(node):
    """Facts of a moment in which ckptd of NODE has no job and nothing under way."""
    def look():
        now = facts(node)
        return now if not now["workers"] and not [path for path in now["run"] if path.startswith("/run/ckptd/jobs/")] else None

    return wait_for(f"ckptd of {node} is at rest", look, timeout=120, interval=0.5)


def troubles(output):
    """complaints(), but for what was asked for."""
    asked_for = ("the job is requeued on demand", "the job gives its nodes up", "checkpoints of this job are switched off")
    return [line for line in complaints(output) if not line.startswith(asked_for)]


class Peak:
    """The most memory of each ckptd, and the most descriptors, while something runs."""

    def __init__(self):
        self.most, self._over, self._thread = {}, threading.Event(), threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(2):
            for node in COMPUTE:
                for key, value in facts(node).items():
                    if key in ("VmRSS", "fds", "workers", "local bytes"):
                        self.most[f"{key} on {node}"] = max(value, self.most.get(f"{key} on {node}", 0))


class LoadTest(SystemTest):
    def setUp(self):
        self.remember_daemons()
        self.began = time.monotonic()

    def remember_daemons(self):
        self.daemons = {node: facts(node)["pid"] for node in COMPUTE}

    def assert_same_daemons(self):
        self.assertEqual({node: facts(node)["pid"] for node in COMPUTE}, self.daemons, "no ckptd was started anew")

    def tell(self, what, **figures):
        """Figures are for whoever reads the test's output, and no test judges them."""
        since = time.monotonic() - self.began
        print(f"{since:6.0f} s  {what}" + "".join(f", {name} {value}" for name, value in figures.items()), flush=True)

    def assert_answered_or_refused(self, done, codes):
        """DONE, as many_clients.py tells of it, was answered, or refused in one line with one of CODES; whether it was answered."""
        words = " ".join(done["command"])
        if done["status"] == 0:
            self.assertEqual(done["error"], "", words)
            return True
        self.assertEqual((done["status"], done["output"]), (1, ""), f"{words}: {done['error']}")
        self.assertRegex(done["error"], rf"\A{REFUSAL.pattern}\Z", words)
        self.assertIn(re.search(r"CKPT-\d+", done["error"])[0], codes, f"{words}: {done['error']}")
        return False


class Array:
    """An array of COUNT jobs, as a user has many alike. Element I writes to I.out in the array's directory."""

    def __init__(self, script, count, *options, node=None, user="alice", name=None):
        self.job = submit(script, f"--array=1-{count}", *options, node=node, user=user, name=name, output="%a.out")
        self.job.output_path = f"{self.job.directory}/%a.out"
        self.id, self.count, self.user = self.job.id, count, user

    def infos(self):
        """{index: what `scontrol show job` says} of the elements that have become jobs of their own."""
        lines = cluster.run("ctl", "scontrol", "--oneliner", "show", "job", str(self.id)).splitlines()
        infos = (parse(line) for line in lines if line.startswith("JobId="))
        return {int(info["ArrayTaskId"]): info for info in infos if info.get("ArrayTaskId", "").isdigit()}

    def wait_infos(self, what, condition, timeout):
        """Until CONDITION, a function of one's info, holds for all; their infos."""
        seen = {}

        def look():
            seen.update(self.infos())
            return len(seen) == self.count and all(condition(info) for info in seen.values())

        try:
            wait_for(f"all of array {self.id} {what}", look, timeout, PAUSE_S)
        except AssertionError as error:
            left = {index: info["JobState"] + " " + info["Reason"] for index, info in seen.items() if not condition(info)}
            raise AssertionError(f"{error}; {len(seen)} of {self.count} have begun, others: {left}") from None
        return seen

    def wait_running(self, timeout=300):
        return self.wait_infos("run", lambda info: info["JobState"] == "RUNNING", timeout)

    def wait_outputs(self, text, timeout=300):
        """Until TEXT is in the output of all."""
        lacking = set(range(1, self.count + 1))

        def look():
            lacking.difference_update([index for index in lacking if text in self.output(index)])
            return not lacking

        try:
            wait_for(f"all of array {self.id} write {text!r}", look, timeout, PAUSE_S)
        except AssertionError as error:
            one = min(lacking)
            raise AssertionError(f"{error}; {len(lacking)} have not, such as {one}:\n{self.output(one)}") from None

    def end(self, timeout=600):
        return self.wait_infos("end", lambda info: info["JobState"] in ENDED, timeout)

    def output(self, index):
        path = self.job.path(f"{index}.out")
        return path.read_text(errors="replace") if path.exists() else ""

    def jobs(self, infos):
        return [Element(info["JobId"], self, index) for index, info in infos.items()]


class Element(Job):
    """Of an array. Not among the jobs of the test program, whose output is shown when it fails: they are too many."""

    def __init__(self, job_id, array, index):
        self.id, self.directory, self.user = int(job_id), array.job.directory, array.user
        self.output_path, self.name = f"{self.directory}/{index}.out", f"{array.id}_{index}"


def ask_many(node, user, count, *commands, until=None, below=0):
    """many_clients.py of USER on NODE, as a process that has begun all of them."""
    options = [*(["--until", until] if until else []), *(["--below", below] if below else [])]
    words = [word for command in commands for word in ("--", *command)]
    asking = cluster.background(node, "sh", "-c", 'exec "$@" 2>&1', "sh", "/shared/programs/many_clients.py", count, *options, *words, user=user)
    line = asking.stdout.readline()
    if line != "begun\n":
        raise AssertionError(f"many_clients.py: {line}{asking.stdout.read()}")
    return asking


def answers(asking):
    """What has become of each of ask_many()'s, when all have ended."""
    return [json.loads(line) for line in asking.communicate()[0].splitlines()]
