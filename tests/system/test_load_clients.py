# SPDX-License-Identifier: GPL-2.0-or-later
"""200 `sckpt` at once, and whoever fills what ckptd keeps of a user's: each is answered, or refused in one line with a code, and what one user
does keeps nobody else from being answered."""

from lib import *
from lib.load import REFUSAL, Array, LoadTest, Peak, answers, ask_many, troubles

COUNT = 200
CONNECTIONS = 1024  # of one user (criu-glue/daemon/connection_limit.hpp)
SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=none
echo ready
exec /shared/programs/counts line 1 1 0
"""
TASKS = 60
WIDE = f"""#!/bin/bash
#SBATCH --checkpoint-interval=none
echo ready
srun --ntasks={TASKS} --output=/dev/null /shared/programs/counts line 1 1 0 &
/shared/programs/counts line 1 1 0
wait
"""
ON_TWO_NODES = """#!/bin/bash
#SBATCH --checkpoint-interval=none
srun --ntasks=2 --ntasks-per-node=1 --output=task-%t.out /shared/programs/counts line 10 100 3
exit 4
"""
BUSY = {"CKPT-308"}
OFF = {"CKPT-102"}  # switched off
BELOW = 200
HELPER = "^/usr/libexec/slurm-checkpoint/ckpt-slurmctld"


class Clients(LoadTest):
    def started(self, user, script=SCRIPT, *options, tasks=0):
        job = submit(script, *options, user=user, name=user)
        job.wait_output("line 1\n")
        wait_for("its tasks run", lambda: int(cluster.attempt("n1", "pgrep", "--count", "--exact", "counts", f"--uid={user}").stdout) > tasks)
        self.assertEqual(self.sckpt("create", job.id, user=user).returncode, 0)
        return job

    def sckpt(self, *words, user="alice"):
        return cluster.attempt("n1", "sckpt", *words, user=user)

    def finish(self, *jobs):
        for job in jobs:
            job.path("go").touch()
            self.assert_ended(end(job))
            self.assertEqual(application_lines(job.output()), ["ready", "line 1", "line ends"])
            self.assertEqual(troubles(job.output()), [])
        assert_clean(*jobs)
        self.assert_same_daemons()

    def test_all_at_once(self):
        jobs = [self.started(user) for user in ("alice", "bob")]
        with Peak() as peak:
            begun = [ask_many("n1", job.user, COUNT // 2, ["sckpt", "list"],
                              *(["sckpt", verb, str(job.id)] for verb in ("show", "create", "explain", "report"))) for job in jobs]
            ended = [answers(one) for one in begun]
        for job, many in zip(jobs, ended):
            self.assertEqual(len(many), COUNT // 2)
            answered = [one["command"][1] for one in many if self.assert_answered_or_refused(one, BUSY)]
            self.assertEqual(set(answered), {"list", "show", "create", "explain", "report"}, f"{job.user} is answered of each kind")
            self.assertEqual(answered.count("explain"), COUNT // 10, "there is nothing to wait for")
            self.tell(job.user, answered=len(answered), slowest=max(one["seconds"] for one in many))
        self.tell("all at once", **peak.most)
        self.finish(*jobs)

    def test_one_question_to_slurmctld_however_many_ask(self):
        """slurmctld is hung, so that whoever asks for a requeue waits for it: on the node there are not as many processes of root's as askers."""
        alices, bobs = self.started("alice"), self.started("bob")
        cluster.run("ctl", "pkill", "-STOP", "--exact", "slurmctld")
        self.addCleanup(cluster.run, "ctl", "sh", "-c", "pkill -CONT --exact slurmctld; true")
        begun = ask_many("n1", "bob", COUNT, ["sckpt", "requeue", str(bobs.id)])
        asked = self.sckpt("explain", alices.id)
        most = max(int(cluster.attempt("n1", "pgrep", "--count", "--full", HELPER).stdout) for _ in range(10))
        cluster.run("ctl", "pkill", "-CONT", "--exact", "slurmctld")
        ended = answers(begun)
        self.tell("bob asks for a requeue", at_once=most)
        self.assertEqual((asked.returncode, asked.stderr), (0, ""), "alice is answered meanwhile")
        self.assertLess(most, 20)
        self.assertEqual({self.assert_answered_or_refused(one, BUSY | {"CKPT-307"}) for one in ended}, {False})
        self.finish(alices, bobs)

    def assert_alice_is_answered(self, job, bobs):
        """While all of bob's go on, each of hers is, and not refused."""
        for verb in ("list", "show", "explain", "create", "report"):
            done = self.sckpt(verb, *([] if verb == "list" else [job.id]))
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{verb}, while bob's are under way")
            self.assertIsNone(bobs.poll(), "bob's are under way")

    def test_one_user_is_answered_while_another_asks(self):
        """Again and again; and from deep in a tree of processes, of a job that has many tasks."""
        alices, bobs = self.started("alice"), self.started("bob")
        wide = self.started("bob", WIDE, f"--ntasks={TASKS}", tasks=TASKS + 1)
        self.assertEqual(self.sckpt("disable", wide.id, user="bob").returncode, 0)
        for below, asked in ((0, bobs), (BELOW, wide)):
            with self.subTest(below=below):
                until = f"{bobs.directory}/until-{below}"
                begun = ask_many("n1", "bob", COUNT - 1, ["sckpt", "list"], ["sckpt", "show", str(asked.id)], ["sckpt", "create", str(asked.id)],
                                 ["sckpt", "explain", str(asked.id)], until=until, below=below)
                try:
                    self.assert_alice_is_answered(alices, begun)
                finally:
                    bobs.path(f"until-{below}").touch()
                    ended = answers(begun)
                answered = [self.assert_answered_or_refused(one, BUSY | OFF) for one in ended]
                self.assertIn(True, answered)
                self.tell("bob, again and again", below=below, asked=len(ended), answered=sum(answered), slowest=max(one["seconds"] for one in ended))
        self.finish(alices, bobs, wide)

    def test_a_user_who_keeps_all_connections(self):
        """Is told so, and nobody else feels it: not even a job of another user's that starts meanwhile."""
        bobs = self.started("bob")
        holding = cluster.background("n1", "/shared/programs/hold_connections.py", CONNECTIONS + 100, user="bob")
        self.addCleanup(holding.communicate)
        self.assertEqual(holding.stdout.readline(), f"{CONNECTIONS + 100}\n")
        for verb in ("list", "create", "explain"):
            done = self.sckpt(verb, *([] if verb == "list" else [bobs.id]), user="bob")
            with self.subTest(verb):
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"\A{REFUSAL.pattern}\Z")
                self.assertIn("CKPT-308", done.stderr)
        alices = self.started("alice")
        self.assertIsNone(holding.poll())
        self.assertEqual(self.sckpt("list").returncode, 0)
        holding.communicate()
        wait_for("bob is answered again", lambda: self.sckpt("explain", bobs.id, user="bob").returncode == 0)
        self.finish(alices, bobs)

    def test_a_user_who_talks_nonsense(self):
        """Is not heard, and fills no log: ten lines a minute are enough."""
        before = len(cluster.log("n1", "ckptd").read_text().splitlines())
        self.assertEqual(cluster.run("n1", "/shared/programs/nonsense.py", 1000, user="bob"), "1000 closed\n")
        alices = self.started("alice")
        log = cluster.log("n1", "ckptd").read_text().splitlines()[before:]
        lines = [line for line in log if " uid 2002" in line]
        self.assertTrue(lines)
        self.assertLess(len(lines), 60, lines[-1])
        self.finish(alices)

    def test_turns_are_fair_between_users(self):
        """bob asks for all of his jobs at once. Where one is dumped at a time, alice's turn comes long before the last of his."""
        set_policy("n1", admission={"dumps": 1})
        self.addCleanup(clear_policy, "n1")
        self.remember_daemons()
        alices, array = self.started("alice"), Array(SCRIPT, 24, node="n1", user="bob", name="many")
        array.wait_outputs("line 1\n")
        bobs = array.jobs(array.wait_running())
        begun = ask_many("n1", "bob", len(bobs), *(["sckpt", "create", str(job.id)] for job in bobs))
        wait_for("bob's first is saved", lambda: self.saved(bobs))
        before = self.saved(bobs)
        done = self.sckpt("create", alices.id)
        after = self.saved(bobs)
        ended = answers(begun)
        self.assertEqual((done.returncode, done.stdout), (0, f"generation 2 of job {alices.id} saved\n"), done.stderr)
        self.assertEqual([one["status"] for one in ended], [0] * len(bobs), [one["error"] for one in ended if one["error"]])
        self.tell("bob's saved", before=before, after=after)
        self.assertLess(after, before + 8, f"of {len(bobs)} of bob's, saved while alice waited for one")
        array.job.path("go").touch()
        infos = array.end()
        self.assertEqual({info["ExitCode"] for info in infos.values()}, {"0:0"})
        assert_clean(*bobs)
        self.finish(alices)

    def saved(self, jobs):
        return sum("generation 1 saved" in job.output() for job in jobs)

    def test_silent_ones_at_the_port_between_nodes(self):
        """root of one host, who keeps all that he may of the port busy, does not keep nodes from one another."""
        holding = cluster.background("n1", "sh", "-c", "exec /shared/programs/hold_connections.py 60 n2 6821")
        self.addCleanup(holding.communicate)
        self.assertEqual(holding.stdout.readline(), "60\n")
        job = submit(ON_TWO_NODES, "--nodes=2", "--ntasks-per-node=1", node=None)
        for task in (0, 1):
            job.wait_file(f"task-{task}.out", lines=5)
        self.assertEqual(self.sckpt("create", job.id).returncode, 0)
        self.assertIsNone(holding.poll())
        holding.communicate()
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "4:0")
        self.assertEqual(troubles(job.output()), [])
        assert_clean(job)
        self.assert_same_daemons()


main()
