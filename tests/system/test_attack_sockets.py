# SPDX-License-Identifier: GPL-2.0-or-later
"""bob at the sockets of ckptd, with messages that no program of ours would send: forged, cut, oversized, with descriptors, without end, interleaved
and once again. Nothing is believed, nothing told of alice's job, and nobody but him waits."""

from lib import *
from lib.attack import AttackTest, processes_of

PLUGIN = ("JobOpen", "TaskRegister", "StepTaskRegister", "AllocationTaskRegister", "TaskExit", "JobEpilog")
HELLOS = ("ShimHello", "TaskHello")
ANSWER, EXPLANATION = 22, 24
NOBODYS = 9998  # no job has this number
BOBS = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
echo ready
gate go
"""


class Sockets(AttackTest):
    def bobs_job(self):
        job = submit(BOBS, user="bob", name="bob")
        job.wait_output("ready")
        return job

    def over(self, job):
        job.path("go").touch()
        self.assert_ended(end(job))

    def test_forged(self):
        """Root, for comparison, is answered: so these are messages, and who sends them is what decides."""
        processes = processes_of(self.job)
        pids = [*processes["ckpt-shim"], *processes["ckpt-init"], 1]
        said = self.attack("forge", self.job.id, 2001, ",".join(map(str, pids)))
        self.assertEqual(len(said), len(pids) * 17)
        for name, outcome in said.items():
            if name.split()[0] in HELLOS:
                self.assertEqual((outcome["type"], outcome["code"]), (ANSWER, 304), name)
            else:
                self.assertEqual(outcome, "closed", name)
        roots = self.attack("forge", NOBODYS, 2001, "1", user="root")
        self.assertEqual({name for name in PLUGIN if roots[f"{name} 1"] == "closed"}, set())
        self.assertEqual({name: roots[f"{name} 1"] for name in ("StepDoubt", "TreeExited", "TreeStarted", "ShimTerm")},
                         dict.fromkeys(("StepDoubt", "TreeExited", "TreeStarted", "ShimTerm"), "closed"), "not even root is a shim")
        self.assert_unharmed()

    def test_somebody_elses_job(self):
        """In every message that names a job: the answer is that of a job that is not there. alice herself gets another."""
        self.save(1)
        theirs = self.attack("ask", self.job.id, 2001, "alice")
        nobodys = self.attack("ask", NOBODYS, 2001, "alice")
        for name, outcome in theirs.items():
            with self.subTest(name):
                told = str(outcome)
                if name in ("list", "show", "prune"):  # of her directory, which he names and may not enter
                    self.assertIn('"error":', told)
                    self.assertNotIn("incarnation", told)
                    self.assertNotIn(str(self.job.id), told)
                else:
                    self.assertEqual(told.replace(str(self.job.id), "N"), str(nobodys[name]).replace(str(NOBODYS), "N"))
        self.assertEqual((theirs["look"], theirs["beyond"]), ("closed", "closed"))
        self.assertEqual(self.attack("explain", self.job.id, user="alice")["type"], EXPLANATION)
        self.assert_unharmed(saved=1)

    def test_malformed(self):
        said = self.attack("malformed", NOBODYS)
        self.assertGreater(said["sent"], 2000)
        self.assertEqual(said["told"], [])
        self.assert_unharmed()

    def test_oversized_and_with_descriptors(self):
        """253 descriptors in each message: the kernel refuses to send them, or ckptd closes them; in either case it has none of them later."""
        self.assertEqual(self.attack("oversized", self.job.id), ["closed"] * 3)
        for outcome in self.attack("descriptors", self.job.id):
            self.assertTrue(isinstance(outcome, str) or outcome["code"] == 304, outcome)
        self.assert_unharmed()

    def test_idle(self):
        """3,000 connections, of which ckptd closes what is more than one user may have, or bob has no more descriptors. alice is served meanwhile."""
        attack = self.begin("idle")
        self.save(1)
        self.assertEqual(cluster.attempt("n1", "sckpt", "metrics", user="alice").returncode, 0)
        said = self.finish(attack)
        self.assertGreater(said["connected"], 1500)
        self.assertLessEqual(said["connected"] - said["closed"], 1024 + 2 + 16, said)
        self.assert_unharmed(saved=1)

    def test_silent(self):
        """A connection on which nothing is said is closed after a while, and no other one."""
        self.assertEqual(self.attack("silence", NOBODYS, user="root"), {"closed": True, "asked": True, "root": True})
        self.assert_unharmed()

    def test_many_users(self):
        """Ten users who keep as many connections as one may have, more than ckptd has descriptors for: jobs start and are saved, and who has
        no connection gets one."""
        attack = self.begin("crowd", NOBODYS, 10, user="root")
        bobs = self.bobs_job()
        self.assertIn("generation 1", cluster.run("n1", "sckpt", "create", bobs.id, user="bob"))
        self.save(1)
        self.assertEqual([one["generation"] for one in generations(self.job)], [1])
        said = self.finish(attack)
        self.assertEqual(said["connected"], 10240)
        self.assertGreater(said["kept"], 1024)
        self.over(bobs)
        self.assert_unharmed(bobs, saved=1)

    def test_flood(self):
        """Who asks without end and reads no answer is hung up on, and everybody else is answered."""
        bobs = self.bobs_job()
        attack = self.begin("flood", bobs.id)
        self.save(1)
        self.save(2)
        said = self.finish(attack)
        self.assertGreater(said["dropped"], 0, said)
        self.over(bobs)
        self.assert_unharmed(bobs, saved=2)

    def test_from_deep_below(self):
        """Questions that cost ckptd as much as a user can have them cost, ten jobs and three hundred ancestors: alice's job is saved when it is
        requeued, for which ckptd has to answer within three seconds (wire::k_term_patience_s)."""
        jobs = [self.bobs_job() for _ in range(10)]
        attack = self.begin("deep", jobs[0].id)
        requeue(self.job, to="n2")
        self.job.wait_output("restored generation 1")
        said = self.finish(attack)
        self.assertGreater(said["answered"], 0, said)
        requeue(self.job, to="n1")
        self.job.wait_output("restored generation 2")
        for job in jobs:
            self.over(job)
        self.assert_unharmed(*jobs, saved=2)

    def test_lines_of_the_log(self):
        """What a user may do as often as they like does not fill it."""
        bobs = self.bobs_job()
        log = cluster.log("n1", "ckptd")
        before = log.stat().st_size
        self.assertEqual(self.attack("toggle", bobs.id), [0])
        lines = log.read_bytes()[before:].decode().splitlines()
        self.assertLess(len([line for line in lines if f"job {bobs.id}" in line]), 50)
        self.assertTrue(any("switched" in line for line in lines), "the first of them are there")
        self.over(bobs)
        self.assert_unharmed(bobs)

    def test_lines_of_the_log_about_checkpoints(self):
        """Nor do checkpoints of a job that cannot be saved, of which each is refused. Of alice's, since bob may have had his lines of this minute."""
        unfit = submit(BOBS.replace("echo ready", "cp /bin/sleep srun; ./srun 1000 & echo ready") + "kill $!\n", user="alice", name="unfit")
        unfit.wait_output("ready")
        wait_for("it is an srun", lambda: "srun" in processes_of(unfit))
        log = cluster.log("n1", "ckptd")
        before = log.stat().st_size
        refused = 60
        asked = f"for i in $(seq {refused}); do sckpt create {unfit.id} 2>&1; done; true"
        told = cluster.run("n1", "sh", "-c", asked, user="alice")
        self.assertEqual(told.count("[CKPT-404]"), refused, told)
        lines = [line for line in log.read_bytes()[before:].decode().splitlines() if f"job {unfit.id}" in line]
        self.assertLess(len(lines), refused / 2, "ten a minute")
        self.assertTrue(any("no checkpoint: " in line for line in lines), "the first of them are there")
        self.over(unfit)
        self.assert_unharmed(unfit)

    def test_interleaved(self):
        """Each answer is that of its question, and comes on the connection that asked, while alice does the same."""
        bobs = self.bobs_job()
        for user, own, other in (("bob", bobs, self.job), ("alice", self.job, bobs)):
            answers = self.attack("interleaved", own.id, other.id, user=user)
            self.assertEqual(answers, [[EXPLANATION, ANSWER] * 15] * 10)
        self.over(bobs)
        self.assert_unharmed(bobs)

    def test_replayed(self):
        """What was good while bob's job ran is refused when it has ended, although it is the same to the last byte."""
        bobs = self.bobs_job()
        attack = self.begin("replay", bobs.id)
        self.over(bobs)
        wait_for("ckptd has forgotten it", lambda: f"job {bobs.id} is closed" in cluster.log("n1", "ckptd").read_text())
        said = self.finish(attack)
        self.assertEqual({name: said["before"][name]["code"] for name in ("create", "disable", "explain")}, {"create": 0, "disable": 0, "explain": 0})
        self.assertEqual({name: outcome["code"] for name, outcome in said["after"].items()}, dict.fromkeys(("create", "disable", "explain", "hello"), 304))
        self.assert_unharmed(bobs)

    def test_one_process_for_each_message(self):
        """500 requests to requeue bob's own job, all before the first is answered: slurmctld is asked once, not 500 times."""
        bobs = self.bobs_job()
        cluster.run("ctl", "pkill", "-STOP", "--exact", "slurmctld")  # who asks it waits, so that all of them would be there at once
        self.addCleanup(cluster.run, "ctl", "pkill", "-CONT", "--exact", "slurmctld")
        attack = self.begin("leave", bobs.id)
        self.assertEqual(self.attack("explain", self.job.id, user="alice")["type"], EXPLANATION)  # so what came before has been read
        asking = cluster.run("n1", "pgrep", "--exact", "ckpt-slurmctld").split()
        self.assertEqual(len(asking), 1, "a process of root's for each")
        cluster.run("ctl", "pkill", "-CONT", "--exact", "slurmctld")
        said = self.finish(attack)
        self.assertEqual([one["code"] for one in said if one != "closed"].count(0), 1)
        bobs.path("go").touch()
        bobs.as_user("scancel", bobs.name)
        end(bobs)
        self.assert_unharmed(bobs)


if __name__ == "__main__":
    main()
