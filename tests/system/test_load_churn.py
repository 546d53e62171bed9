# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs of all kinds come and go, round after round, and commands, nonsense and new policies with them. Between the rounds, when nothing is under
way, ckptd has and keeps what it had and kept before: less than 1 % more at the end than at the beginning. CKPT_CHURN_S=N: for so long."""

import os
import re
import statistics
import time

from lib import *
from lib.cluster import COMPUTE
from lib.load import LoadTest, at_rest, troubles
from lib.product import STORE

SECONDS = int(os.environ.get("CKPT_CHURN_S", "300"))
WARM_UP_S = min(60, SECONDS // 4)
HEAD = "#!/bin/bash\n#SBATCH --checkpoint-interval=none\n. /shared/programs/gate.sh\n"
SEGV = "ulimit -c 0\nkill -SEGV $$\n"
STEP = """srun --ntasks=2 /shared/programs/counts work 20 50 3 >step.out &
until grep -q 'work 5' step.out 2>/dev/null; do sleep 0.1; done
sckpt requeue || exit
touch go
wait $!
echo "the step ended with $?"
"""
UNFIT = """exec /usr/bin/python3 -c '
import os, subprocess
outside = os.pidfd_open(1)
print(subprocess.run(["sckpt", "create"], capture_output=True).returncode)'
"""
# {kind: (what the script does, how the job ends, what it writes, besides sckpt's own lines, what we say that is no success)}
KINDS = {
    "ends": ("sckpt create\necho over\n", ("COMPLETED", "0:0"), ["over"], []),
    "untouched": ("echo over\nexit 4\n", ("FAILED", "4:0"), ["over"], []),
    "goes on": ("echo one\nsckpt requeue\necho two\nexit 3\n", ("FAILED", "3:0"), ["one", "two"], []),
    "goes on twice": ("echo one\nsckpt requeue\nsckpt requeue\necho two\n", ("COMPLETED", "0:0"), ["one", "two"], []),
    "steps": (STEP, ("COMPLETED", "0:0"), ["the step ended with 3"], []),
    "faulty": ("sckpt create\n" + SEGV, ("FAILED", "0:11"), [], [r"the program died of SIGSEGV"]),
    "unfit": (UNFIT, ("COMPLETED", "0:0"), ["1"], [r"\[CKPT-40\d\]"]),
    "cancelled": ("sckpt create\necho waits\ngate go\n", ("CANCELLED", "0:15"), ["waits"], []),
    "vacated": ("echo waits\ngate go\n", ("CANCELLED", None), ["waits"], []),
}
OWN = re.compile(r"(?:generation \d+ of )?job \d+ .*|generation \d+ of job \d+ (?:saved|restored).*")
KEPT = ("fds", "VmRSS", "threads", "run", "local")
COPIES_MIB = 4  # of images that stay on a node for a restart there: a bound that is reached while it warms up


class Churn(LoadTest):
    def setUp(self):
        set_policy(*COMPUTE, retention={"after_end": "1s"}, storage={"local_copies": f"{COPIES_MIB}M"})
        self.addCleanup(clear_policy, *COMPUTE)
        super().setUp()

    def test_nothing_grows(self):
        samples, number, deadline = [], 0, self.began + SECONDS
        while time.monotonic() < deadline or len(samples) < 8:
            number += 1
            self.round(number)
            now = self.kept()
            if time.monotonic() > self.began + WARM_UP_S:
                samples.append(now)
            self.tell(f"round {number}", **now)
        self.assert_same_daemons()
        quarter = len(samples) // 4
        for name in samples[0]:
            first, last = (statistics.median(one[name] for one in some) for some in (samples[:quarter], samples[-quarter:]))
            self.tell(name, first=first, last=last)
            with self.subTest(name):
                self.assertLessEqual(last, first * 1.01, f"{name}: {[one[name] for one in samples]}")

    def round(self, number):
        jobs = {kind: submit(HEAD + script, f"--ntasks={2 if kind == 'steps' else 1}", node=COMPUTE[(number + i) % len(COMPUTE)],
                             user=("alice", "bob")[(number // 2 + i) % 2], name=f"{number}-{i}")
                for i, (kind, (script, *_)) in enumerate(KINDS.items())}
        for node in COMPUTE:
            for user, job in (("alice", jobs["ends"]), ("bob", jobs["steps"])):
                for verb in ("list", "show", "explain", "report", "create"):
                    cluster.attempt(node, "sckpt", verb, *([] if verb == "list" else [job.id]), user=user)
            cluster.run(node, "/shared/programs/nonsense.py", 20, user="bob")
            cluster.run(node, "pkill", "-HUP", "--exact", "ckptd")
        jobs["cancelled"].wait_output("waits", timeout=120)
        jobs["cancelled"].as_user("scancel", jobs["cancelled"].name)
        jobs["vacated"].wait_output("waits", timeout=120)
        jobs["vacated"].as_user("sckpt", "vacate", str(jobs["vacated"].id))
        for kind, job in jobs.items():
            _, (state, code), lines, complained = KINDS[kind]
            info = end(job, timeout=200)
            self.assertEqual((info["JobState"], code and info["ExitCode"]), (state, code), f"round {number}, {kind}, {job}:\n{job.output()}")
            self.assertEqual([line for line in application_lines(job.output()) if not OWN.fullmatch(line)], lines, f"{kind}, {job}")
            found = troubles(job.output())
            self.assertEqual(len(found), len(complained), f"{kind}, {job}: {found}")
            for line, pattern in zip(found, complained):
                self.assertRegex(line, pattern)
        assert_clean(*jobs.values())

    def kept(self):
        """What there is between two rounds, on each node and in the store."""
        for node in COMPUTE:
            at_rest(node)

        def removed():
            for user in ("alice", "bob"):
                cluster.run("n1", "sckpt", "prune", user=user)
            return not self.stored()

        wait_for(f"nothing is left of jobs that have ended: {self.stored()}", removed, interval=1)
        now = {node: at_rest(node) for node in COMPUTE}
        for node, all in now.items():
            self.assertLess(all["copies"], (COPIES_MIB + 1) << 20, f"bytes of copies on {node}, with criu's logs")
        counts = {f"{key} on {node}": len(all[key]) if isinstance(all[key], list) else all[key] for node, all in now.items() for key in KEPT}
        return {**counts, "in the store": len(self.stored())}

    def stored(self):
        """Directories of jobs, and their histories."""
        return [path.name for path in cluster.shared(STORE).glob("*/*/*")]


main()
