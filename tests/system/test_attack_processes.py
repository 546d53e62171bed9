# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals to, and a hold on, every process of ours while a checkpoint is taken: by another user, who gets at none, and by the job's own user, who
harms nothing but the own job."""

import shutil

from lib import *
from lib.attack import AttackTest, daemon, descriptors

SCRIPT = """#!/usr/bin/python3
#SBATCH --checkpoint-interval=none
import os, sys, time
held = os.urandom(16 << 20)
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
print("the end", flush=True)
sys.exit(7)
"""
DUMPS = "/shared/dumps"
DENIED = {"EPERM", "EACCES"}
# By these one gets at what another process knows, or what it may do. Signals and limits are its user's affair.
HOLDS = ("environ", "mem", "root", "namespace", "take a descriptor", "compare", "write memory", "attach", "seize")


def named(name, user=None):
    words = ("--exact", name, *(("--uid", user) if user else ()))
    return [int(pid) for pid in cluster.attempt("n1", "pgrep", *words).stdout.split()]


class Processes(AttackTest):
    """On n1 criu waits at its beginning until the test lets it go on, and what is saved goes out slowly: so all of ours are there to be attacked."""

    def setUp(self):
        super().setUp()
        directory = cluster.shared(DUMPS)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        directory.chmod(0o1777)
        self.addCleanup(shutil.rmtree, directory)
        path = "/usr/local/sbin/criu-held"
        cluster.run("n1", "install", "-m", "755", "/shared/programs/criu-held.sh", path)
        set_policy("n1", engine={"criu": path}, admission={"bandwidth": "1M"})
        self.addCleanup(clear_policy, "n1")
        self.daemon = daemon()
        self.before = descriptors(self.daemon)

    def started(self, name):
        job = submit(SCRIPT, name=name)
        job.wait_output("ready")
        return job

    def asked(self, job):
        asking = cluster.background("n1", "sckpt", "create", job.id, user="alice")
        self.addCleanup(asking.communicate)
        self.addCleanup(asking.terminate)
        return asking

    def dumping(self, job):
        """A dump of JOB is under way, and waits: criu's pid, and who has asked for it."""
        for name in ("go", "held"):
            (cluster.shared(DUMPS) / name).unlink(missing_ok=True)
        asking = self.asked(job)
        held = cluster.shared(DUMPS) / "held"
        wait_for("criu is there", held.exists)
        wait_for("a ckpt-tracer is there", lambda: named("ckpt-tracer"))
        return int(held.read_text()), asking

    def go_on(self):
        (cluster.shared(DUMPS) / "go").touch()

    def writing(self):
        return wait_for("a ckpt-writer is there", lambda: named("ckpt-writer", "alice"))

    def attempts(self, user, *words):
        return self.attack(*words, user=user, program="attack_processes")

    def assert_denied(self, outcome, user, name):
        """Nothing was done, and everything was tried: on a process of one's own it works."""
        for attempt, what in outcome.items():
            self.assertIn(what, DENIED, f"{user} at {name}: {attempt}")

    def test_another_user(self):
        job = self.started("attacked")
        criu, asking = self.dumping(job)
        held = {name: named(name) for name in ("ckpt-engine", "ckpt-tracer", "ckpt-shim", "ckpt-init", "ckptd")}
        self.goes({"criu": [criu], **held})
        self.go_on()
        held = {"ckpt-writer": self.writing(), "ckpt-sealer": named("ckpt-sealer")}
        self.goes(held)
        self.assertIn("generation 1", asking.communicate()[0])
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(complaints(job.output()), [])
        self.assert_unharmed(job)

    def goes(self, held):
        for name, pids in held.items():
            self.assertTrue(pids, f"no {name} was there")
        pids = [pid for some in held.values() for pid in some]
        said = self.attempts("bob", *pids)
        own = said.pop("own")
        self.assertEqual({what for what in own.values()}, {"done"}, own)
        for name, some in held.items():
            for pid in some:
                self.assert_denied(said[str(pid)], "bob", name)
        # The job's user may do as she likes with her shim and ckpt-init; of what has other rights, or reads what is sealed, she gets none.
        looked = self.attempts("alice", "--look", *pids)
        for name, some in held.items():
            for pid in some:
                if name not in ("ckpt-shim", "ckpt-init"):
                    with self.subTest(name):
                        self.assert_denied({attempt: looked[str(pid)][attempt] for attempt in HOLDS}, "alice", name)

    def test_the_own_user_kills_them(self):
        """One after the other, each while it is at work. The job may be lost; the next checkpoint of the other is not."""
        jobs = []
        for name in ("criu", "ckpt-tracer", "ckpt-writer", "ckpt-shim", "ckpt-init"):
            with self.subTest(name):
                job = self.started(name)
                criu, asking = self.dumping(job)
                if name == "ckpt-writer":
                    self.go_on()
                pids = {"criu": lambda: [criu], "ckpt-writer": self.writing}.get(name, lambda: self.own(job, name))()
                self.assertTrue(pids, name)
                cluster.run("n1", "kill", "-KILL", *pids, user="alice")
                self.go_on()
                asking.communicate()
                job.path("go").touch()
                info = end(job)
                if name in ("criu", "ckpt-writer"):
                    self.assert_ended(info, "FAILED", "7:0")
                    self.assertTrue(complaints(job.output()))
                self.assertEqual(daemon(), self.daemon)
                jobs.append(job)
        self.assert_unharmed(*jobs)

    def own(self, job, name):
        pids = named(name, "alice")
        return pids if name == "ckpt-tracer" else [pid for pid in pids if f"/{job.cgroup()}/" in cluster.read("n1", f"/proc/{pid}/cgroup")]

    def test_traced_by_its_user(self):
        """Who is traced cannot be saved, and is told so; nothing else happens, and once let go it is saved."""
        job = self.started("traced")
        self.go_on()
        pid = cluster.run("n1", "pgrep", "--uid", "alice", "--exact", "slurm_script").split()
        mine = [one for one in pid if f"/{job.cgroup()}/" in cluster.read("n1", f"/proc/{one}/cgroup")]
        tracer = cluster.background("n1", "strace", "-f", "-o", "/dev/null", "-p", *mine, user="alice")
        self.addCleanup(tracer.communicate)
        self.addCleanup(tracer.terminate)
        wait_for("it is traced", lambda: "TracerPid:\t0" not in cluster.read("n1", f"/proc/{mine[0]}/status"))
        done = cluster.attempt("n1", "sckpt", "create", job.id, user="alice")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"\[CKPT-40[13]\]")
        cluster.run("n1", "pkill", "-INT", "--exact", "strace", user="alice")
        wait_for("it is let go", lambda: "TracerPid:\t0" in cluster.read("n1", f"/proc/{mine[0]}/status"))
        self.assertIn("saved", cluster.run("n1", "sckpt", "create", job.id, user="alice"))
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assert_unharmed(job)


if __name__ == "__main__":
    main()
