# SPDX-License-Identifier: GPL-2.0-or-later
"""What every attack is measured by: alice's job, of which nothing may be lost or told, and ckptd, which lives on as it was."""

import json

from lib.cluster import cluster
from lib.jobs import end, requeue, submit
from lib.product import application_lines, assert_clean, complaints
from lib.suite import SystemTest
from lib.waiting import wait_for

VICTIM = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
secret=$(printf 'alices %s' "secret $SLURM_JOB_ID")
count line 1 10
gate on
count line 11 20
gate go
echo "$secret"
exit 7
"""
LOG = "/var/log/ckptd.log"


def daemon(node="n1"):
    """Its pid."""
    return int(cluster.run(node, "pgrep", "--exact", "--uid", "0", "ckptd"))


def descriptors(pid, node="n1"):
    return len(cluster.run(node, "ls", f"/proc/{pid}/fd").split())


def processes_of(job, node="n1"):
    """{name: [pid...]} of those in the job's cgroup."""
    of_job = f'for i in $(grep -ls /{job.cgroup()}/ /proc/[0-9]*/cgroup); do i=${{i%/cgroup}}; echo "${{i#/proc/}} $(cat $i/comm 2>&-)"; done; true'
    found = {}
    for line in cluster.run(node, "sh", "-c", of_job).splitlines():
        pid, _, name = line.partition(" ")
        found.setdefault(name, []).append(int(pid))
    return found


class AttackTest(SystemTest):
    """alice's job runs on n1 and is asked to be saved there while it is attacked; then it goes on on n2."""

    def setUp(self):
        self.job = submit(VICTIM, name="alice")
        self.job.wait_output("line 10")
        self.daemon = daemon()
        self.before = descriptors(self.daemon)

    def attack(self, *argv, user="bob", program="attack_sockets"):
        """What it says of itself when it has ended."""
        return json.loads(cluster.run("n1", f"/shared/programs/{program}.py", *argv, user=user).splitlines()[-1])

    def begin(self, *argv, user="bob", program="attack_sockets"):
        """One that goes on until finish(): it is at work when this returns."""
        attack = cluster.background("n1", f"/shared/programs/{program}.py", *argv, user=user)
        self.addCleanup(attack.wait)
        self.addCleanup(attack.stdout.close)
        self.addCleanup(lambda: attack.stdin.closed or attack.stdin.close())
        self.assertEqual(attack.stdout.readline(), "ready\n")
        return attack

    def finish(self, attack):
        return json.loads(attack.communicate()[0].splitlines()[-1])

    def save(self, generation):
        """alice asks for a checkpoint, and has it."""
        said = cluster.run("n1", "sckpt", "create", self.job.id, user="alice")
        self.assertIn(f"generation {generation} of job {self.job.id} saved", said)

    def assert_unharmed(self, *others, saved=0):
        """ckptd is the same process and holds no more than before; alice's job is saved, requeued and ends with every line; of it and of OTHERS,
        which have ended, nothing is left."""
        self.assertEqual(daemon(), self.daemon)
        wait_for(f"ckptd has its {self.before} descriptors again", lambda: descriptors(self.daemon) <= self.before, timeout=120)
        self.save(saved + 1)
        requeue(self.job, to="n2")
        self.job.wait_output(f"restored generation {saved + 2}")
        for gate in ("on", "go"):
            self.job.path(gate).touch()
        self.assert_ended(end(self.job), "FAILED", "7:0")
        self.assertEqual(application_lines(self.job.output()), [*(f"line {i}" for i in range(1, 21)), f"alices secret {self.job.id}"])
        self.assertEqual(complaints(self.job.output()), [])
        assert_clean(self.job, *others)
