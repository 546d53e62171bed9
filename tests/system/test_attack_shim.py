# SPDX-License-Identifier: GPL-2.0-or-later
"""bob's shim is his process, so he can have it say what he likes to ckptd: it is believed in what concerns his own job, where he can only harm
himself."""

import json

from lib import *
from lib.attack import AttackTest, daemon, processes_of

BOBS = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
echo ready
gate go
"""
# ckpt-slurmctld's processes, each time there are more than ever before.
COUNT = "n=0; while :; do m=$(pgrep --count --exact ckpt-slurmctld); test $m -gt $n && n=$m && echo $n; done"


class Shim(AttackTest):
    def bobs_job(self):
        job = submit(BOBS, user="bob", name="bob")
        job.wait_output("ready")
        return job, processes_of(job)["ckpt-shim"][0]

    def over(self, job):
        """Whatever has become of it."""
        job.path("go").touch()
        cluster.attempt("ctl", "scancel", job.name, user="bob")
        end(job)

    def in_directory(self, job, *argv):
        return cluster.run("n1", "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", job.directory, *argv, user="bob")

    def test_on_the_connection_of_the_own_shim(self):
        job, shim = self.bobs_job()
        counter = cluster.background("n1", "sh", "-c", COUNT)
        self.addCleanup(lambda: counter.stdin.closed or counter.communicate())
        self.addCleanup(counter.terminate)
        said = self.attack("talk", shim, processes_of(self.job)["ckpt-init"][0], self.job.id, program="attack_shim")
        for name in ("hello again", "settled, unasked", "stand-ins", "in doubt"):
            self.assertNotEqual(said[name], "no connection", said)
        self.assertEqual(said["settled, unasked"], 50, "these are messages that ckptd knows")
        self.assertEqual(daemon(), self.daemon)
        self.save(1)
        counter.terminate()
        most = max(map(int, counter.communicate()[0].split() or ["0"]))
        self.assertLessEqual(most, 8, "processes of root's at a time")
        self.over(job)
        self.assert_unharmed(job, saved=1)

    def test_in_the_place_of_the_own_shim(self):
        """The same pid, born at the same time, registered by slurmstepd; and another program."""
        job, shim = self.bobs_job()
        victim = processes_of(self.job)["ckpt-init"][0]
        said = json.loads(self.in_directory(job, "/shared/programs/attack_shim.py", "become", shim, victim, job.id).splitlines()[-1])
        self.assertEqual(said["pid"], shim, said)
        for name, answers in said["said"].items():
            with self.subTest(name):
                self.assertNotIn("alice", str(answers))
                # None of them is a checkpoint: ckptd hangs up, or what is to be taken from the shim is refused.
                told = [one for one in answers if not isinstance(one, str)]  # else how the connection ended
                self.assertNotIn([22, 0], [[kind, ord(content[0])] for kind, content in told if content], answers)
        self.assertEqual(daemon(), self.daemon)
        self.save(1)
        self.over(job)
        self.assert_unharmed(job, saved=1)


if __name__ == "__main__":
    main()
