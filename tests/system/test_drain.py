# SPDX-License-Identifier: GPL-2.0-or-later
"""sckpt drain NODE: what runs there is checkpointed and requeued, and goes on elsewhere; what cannot be is named and left alone."""

import json

from lib import *

COUNTS = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
count line 21 40
"""
STEPS = """#!/bin/bash
srun --label /bin/bash -c '. /shared/programs/gate.sh; count line 1 20; gate go; count line 21 40'
"""
NONE = "--checkpoint-interval=none"


def lines(first, last):
    return [f"line {i}" for i in range(first, last + 1)]


def node_state(node):
    line = cluster.run("ctl", "scontrol", "--oneliner", "show", "node", node)
    return dict(word.partition("=")[::2] for word in line.split())["State"]


def set_state(nodes, state):
    cluster.run("ctl", "scontrol", "update", f"NodeName={nodes}", f"State={state}", *(["Reason=test"] if state == "drain" else []))


def drain(*arguments, node="ctl", user="root"):
    return cluster.attempt(node, "sckpt", "drain", *arguments, user=user)


class Drain(SystemTest):
    def setUp(self):
        self.addCleanup(lambda: [set_state(node, "resume") for node in ("n1", "n2", "n3") if "DRAIN" in node_state(node)])

    def submit_to(self, nodes, others, *jobs):
        """Jobs that name no node, and run on NODES since OTHERS take none for the moment."""
        set_state(others, "drain")
        made = [submit(script, *options, node=None, name=name) for script, name, *options in jobs]
        for job in made:
            job.wait_info(f"runs on {nodes}", lambda info: info["JobState"] == "RUNNING" and info["NodeList"] == nodes)
        set_state(others, "resume")
        return made

    def test_node(self):
        one, two, alone, plain = self.submit_to(
            "n1", "n[2-3]", (COUNTS, "one", NONE), (COUNTS, "two", NONE), (COUNTS, "alone", NONE, "--no-requeue"), (COUNTS, "plain"))
        both, = self.submit_to("n[1-2]", "n3", (STEPS, "both", NONE, "--nodes=2", "--ntasks=2"))
        for job in (one, two, alone, plain):
            job.wait_output("line 20")
        for task in (0, 1):
            both.wait_output(f"{task}: line 20")
        with self.subTest("only said"):
            said = drain("--dry-run", "n1")
            self.assertEqual(said.returncode, 2, said.stderr)
            for job in (one, two, both):
                self.assertRegex(said.stdout, rf"(?m)^job {job.id} {job.info()['JobName']} \(uid \d+\) would be saved and requeued$")
            self.assertRegex(said.stdout, rf"(?s)node n1: 2 jobs could not be saved and would run on:\n  {alone.id} .*may not be requeued.*  {plain.id} .*runs without")
            told = json.loads(drain("--dry-run", "--json", "n1").stdout)
            self.assertEqual({one["job"]: one["would_requeue"] for one in told["jobs"]},
                             {int(job.id): job in (one, two, both) for job in (one, two, alone, plain, both)})
            self.assertNotIn(" saved,", one.output())
            self.assertNotIn("DRAIN", node_state("n1"))
        done = drain("--reason=new memory", "n1")
        self.assertEqual(done.returncode, 2, done.stderr)
        text = done.stdout.splitlines()
        self.assertEqual(text[0], "node n1: 3 jobs saved and requeued; 2 jobs could not be and run on:")
        self.assertRegex("\n".join(text[1:3]), rf"  {alone.id} .*may not be requeued.*\n  {plain.id} .*runs without checkpoints")
        for job in (one, two, both):
            self.assertIn(f"job {job.id}: generation 1 saved, requeued", done.stderr.splitlines())
        self.assertIn("DRAIN", node_state("n1"))
        self.assertIn("Reason=new memory", cluster.run("ctl", "scontrol", "show", "node", "n1"))
        with self.subTest("what is left is left alone"):
            for job in (alone, plain):
                self.assertEqual((job.info()["JobState"], job.info()["NodeList"]), ("RUNNING", "n1"))
                job.path("go").touch()
                self.assert_ended(end(job))
                self.assertEqual(application_lines(job.output()), lines(1, 40))
        with self.subTest("what has gone goes on elsewhere"):
            for job in (one, two, both):
                job.path("go").touch()
                self.assertNotIn("n1", end(job, timeout=120)["NodeList"])
            for job in (one, two):
                self.assert_ended(job.info())
                self.assertEqual(application_lines(job.output()), lines(1, 40))
            for task in (0, 1):
                self.assertEqual([line for line in application_lines(both.output()) if line.startswith(f"{task}: ")],
                                 [f"{task}: {line}" for line in lines(1, 40)])
        with self.subTest("nothing is left, and the reason of somebody else stays"):
            done = drain("--json", "n1")
            self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"node": "n1", "jobs": []}), done.stderr)
            self.assertIn("Reason=new memory", cluster.run("ctl", "scontrol", "show", "node", "n1"))
        set_state("n1", "resume")
        assert_clean(one, two, alone, plain, both)

    def test_refusals(self):
        """Each says why, and changes nothing."""
        job = submit(COUNTS, NONE)
        job.wait_output("line 20")
        before = [node_state(node) for node in ("n1", "n2", "n3")]
        for arguments, user, words in ((["n99"], "root", "slurmctld does not know node n99"), (["n[1-2]"], "root", "slurmctld does not know node n[1-2]"),
                                       (["n1"], "alice", "only root may drain a node"), ([], "root", "NODE is required"),
                                       ([""], "root", "the name of the node is empty"), (["n1", "--reason=a\nb"], "root", "use one line of text")):
            done = drain(*arguments, user=user)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(words, done.stderr)
        cluster.service("n1", "ckptd", "stop")
        self.addCleanup(cluster.service, "n1", "ckptd", "start")
        done = drain("n1")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stdout, rf"  {job.id} .*cannot connect to port 6821 of .*\[CKPT-301\]")
        set_state("n1", "resume")
        wait_for("nodes are as before", lambda: [node_state(node) for node in ("n1", "n2", "n3")] == before)
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), lines(1, 40))
        self.assertEqual(job.info()["Restarts"], "0")

    def test_cancel_now_and_go_on_later(self):
        """What sites teach: the job is cancelled before the maintenance, and submitted again for a time behind it."""
        job = submit(COUNTS, NONE, "--checkpoint-on=cancel")
        job.wait_output("line 20")
        job.as_user("scancel", job.id)
        end(job)
        done = cluster.attempt("ctl", "sckpt", "restart", job.id, "--", "--begin=now+1", f"--chdir={job.directory}", "--output=on.out", user="alice")
        self.assertEqual(done.returncode, 0, done.stderr)
        again = Job(done.stdout.split()[-1], job.directory, f"{job.directory}/on.out", "alice")
        again.path("go").touch()
        self.assert_ended(end(again))
        self.assertEqual(application_lines(job.output()) + application_lines(again.output()), lines(1, 40))
        assert_clean(job, again)


if __name__ == "__main__":
    main()
