# SPDX-License-Identifier: GPL-2.0-or-later
"""A job goes on only on nodes that have what its checkpoint needs: another node is excluded before anything is tried there, and no
checkpoint is the worse for it."""

import json

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20 | tee copy
gate go
echo "the end"
"""
IN_DATA = """#!/bin/bash
. /shared/programs/gate.sh
exec 7>>/data/$SLURM_JOB_ID
for i in {1..20}; do echo "line $i"; echo "line $i" >&7; sleep 0.05; done
gate go
echo "the end"
echo "the end" >&7
"""
STEPS = """#!/bin/bash
srun --ntasks=2 --ntasks-per-node=1 bash -c '. /shared/programs/gate.sh; count "task $SLURM_PROCID line" 1 20; gate go' | tee copy
echo "the end"
"""
ON_DEMAND = ("--checkpoint-on=timelimit", "--checkpoint-interval=none")
LINES = [*(f"line {i}" for i in range(1, 21)), "the end"]


def is_held(info):
    return info["JobState"] == "PENDING" and info["Priority"] == "0"


def restorations(job):
    return [line for line in product_lines(job.output()) if line.startswith("restored generation ")]


class Compat(SystemTest):
    def setUp(self):
        self.mounts = []
        self.addCleanup(self.unmount)
        for number, node in enumerate(("n1", "n2", "n3"), start=1):  # Slurm takes the lightest first
            cluster.run("ctl", "scontrol", "update", f"NodeName={node}", f"Weight={number}")

    def hide(self, node, *flags):
        """From now on NODE has a processor without FLAGS."""
        text = cluster.read(node, "/proc/cpuinfo")
        lines = []
        for line in text.splitlines():
            if line.startswith("flags"):
                self.assertTrue(set(flags) <= set(line.split()), f"{flags} in {line}")
                line = " ".join(word for word in line.replace("\t", "\t ").split(" ") if word not in flags)
            lines.append(line)
        cluster.write(node, "/run/cpuinfo", "\n".join(lines) + "\n")
        self.mount(node, "/run/cpuinfo", "/proc/cpuinfo")

    def mount(self, node, what, where):
        cluster.run(node, "mount", "--bind", what, where)
        self.mounts.append((node, where))

    def unmount(self):
        while self.mounts:
            node, where = self.mounts.pop()
            cluster.run(node, "umount", where)

    def assert_clean(self, *jobs):
        self.unmount()
        assert_clean(*jobs)

    def save(self, job, node="n1"):
        cluster.run(node, "sckpt", "create", job.id, user=job.user)

    def requeue_anywhere(self, job, *changes):
        """It waits for no node that it has asked for, but those in CHANGES."""
        job.as_user("scontrol", "requeuehold", job.name)
        job.wait_info("is held", is_held)
        job.as_user("scontrol", "update", f"JobId={job.name}", "ReqNodeList=", *changes)
        job.as_user("scontrol", "release", job.name)

    def finish(self, job, on, lines=LINES):
        job.wait_output("restored generation 1 ", 120)
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["BatchHost"], on)
        self.assertEqual(application_lines(job.output()), lines)
        self.assertEqual(len(restorations(job)), 1, "the same checkpoint, and once")
        self.assert_clean(job)
        return info

    def test_a_poorer_processor_is_left(self):
        set_policy("n3", slurmctld={"comment": "false"})
        self.addCleanup(clear_policy, "n3")
        job = submit(SCRIPT, *ON_DEMAND, node="n1", name="poorer")
        job.wait_output("line 5\n")
        for _ in range(2):
            self.save(job)
        self.hide("n2", "sse4_2", "popcnt")
        self.requeue_anywhere(job, "ExcNodeList=n1")
        job.wait_output("restored generation 2 ", 120)
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual((info["BatchHost"], info["ExcNodeList"], info["Restarts"]), ("n3", "n1,n2", "2"))
        reason = r"generation 2 needs what this node does not have: popcnt, sse4_2 of the CPU \[CKPT-506\]"
        self.assert_one_complaint(job, rf"^{reason}; the job is requeued without this node$")
        self.assertRegex(info["AdminComment"], rf"checkpoint: n2: {reason}")
        self.assertEqual(application_lines(job.output()), LINES)
        self.assertEqual(job.path("copy").read_text().splitlines(), LINES[:-1])
        self.assertEqual(len(restorations(job)), 1, "nothing older was tried")
        self.assert_clean(job)

    def test_the_only_node(self):
        job = submit(SCRIPT, *ON_DEMAND, node="n1", name="only")
        job.wait_output("line 5\n")
        self.save(job)
        self.hide("n1", "avx2")
        job.as_user("scontrol", "requeue", job.name)
        held = job.wait_info("is held", is_held)
        self.assertRegex(held["AdminComment"], r"checkpoint: n1: .* avx2 of the CPU \[CKPT-506\]; the job asks for this very node")
        with self.subTest("released, it is held again: it does not go round in circles"):
            job.as_user("scontrol", "release", job.name)
            job.wait_info("starts", lambda info: not is_held(info))
            job.wait_info("is held again", is_held)
        with self.subTest("until the node is as it was"):
            self.unmount()
            job.as_user("scontrol", "release", job.name)
            self.finish(job, "n1")

    def test_no_node_is_left(self):
        job = submit(SCRIPT, *ON_DEMAND, node="n1", name="none")
        job.wait_output("line 5\n")
        self.save(job)
        self.hide("n2", "avx2")
        self.requeue_anywhere(job, "ExcNodeList=n1,n3")
        held = job.wait_info("is held", is_held)
        self.assertRegex(held["AdminComment"], r"avx2 of the CPU \[CKPT-506\]; no other nodes are left to it in its partition")
        job.as_user("scontrol", "update", f"JobId={job.name}", "ExcNodeList=n1,n2")
        job.as_user("scontrol", "release", job.name)
        self.finish(job, "n3")

    def test_a_missing_mount(self):
        cluster.run("n1", "install", "-d", "-o", "alice", "/shared/data")
        for node in ("n1", "n2", "n3"):
            cluster.run(node, "mkdir", "-p", "/data")
        for node in ("n1", "n3"):
            self.mount(node, "/shared/data", "/data")
        job = submit(IN_DATA, *ON_DEMAND, node="n1", name="mount")
        job.wait_output("line 5\n")
        self.save(job)
        needs = json.loads(cluster.run("n1", "sckpt", "show", job.id, "--json", user="alice"))["parts"][0]["needs"]
        self.assertIn("/data", [mount["point"] for mount in needs["mounts"]])
        self.requeue_anywhere(job, "ExcNodeList=n1")
        info = self.finish(job, "n3")
        self.assertEqual(info["ExcNodeList"], "n1,n2")
        self.assert_one_complaint(job, r"needs what this node does not have: a file system of type \S+ at /data \[CKPT-506\]; ")
        self.assertEqual(cluster.shared(f"/shared/data/{job.id}").read_text().splitlines(), LINES)

    def test_what_is_recorded_is_shown(self):
        job = submit(SCRIPT, *ON_DEMAND, node="n1", name="shown")
        job.wait_output("line 5\n")
        self.save(job)
        flags = next(line for line in cluster.read("n1", "/proc/cpuinfo").splitlines() if line.startswith("flags")).split()
        needs = json.loads(cluster.run("n1", "sckpt", "show", job.id, "--json", user="alice"))["parts"][0]["needs"]
        self.assertEqual(needs["kernel"], cluster.run("n1", "uname", "-r").strip())
        self.assertIn("sse2", needs["cpu"]["flags"])
        self.assertEqual([flag for flag in needs["cpu"]["flags"] if flag not in flags], [])
        self.assertFalse({"pti", "ibrs", "md_clear", "smep"} & set(needs["cpu"]["flags"]))
        text = cluster.run("n1", "sckpt", "show", job.id, user="alice")
        self.assertRegex(text, rf"  needs +CPU {needs['cpu']['machine']} \(.*\), kernel {needs['kernel']}, CRIU \d")
        self.assertRegex(text, r"flags: .*\bsse2\b")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assert_clean(job)

    def test_a_step_on_an_unfit_node(self):
        job = submit(STEPS, *ON_DEMAND, "--nodes=2", "--ntasks=2", "--ntasks-per-node=1", node="n1,n3", name="step")
        job.wait_output("task 1 line 5\n")
        self.save(job)
        self.hide("n2", "avx2")
        self.requeue_anywhere(job)
        job.wait_info("has left n2", lambda info: info["ExcNodeList"] == "n2", 120)
        job.wait_info("runs", lambda info: info["JobState"] == "RUNNING" and info["NodeList"] == "n[1,3]", 120)
        wait_for(f"{job} is restored", lambda: restorations(job))
        job.path("go").touch()
        self.assert_ended(end(job))
        for task in (0, 1):
            lines = [line for line in application_lines(job.output()) if line.startswith(f"task {task} ")]
            self.assertEqual(lines, [f"task {task} line {i}" for i in range(1, 21)])
        self.assertIn("avx2 of the CPU", "".join(complaints(job.output())))
        self.assert_clean(job)


class Features(SystemTest):
    KINDS = {"n1": "zen3,big", "n2": "skylake,big", "n3": "zen3"}

    def setUp(self):
        for node, features in self.KINDS.items():
            cluster.run("ctl", "scontrol", "update", f"NodeName={node}", f"AvailableFeatures={features}", f"ActiveFeatures={features}")
            self.addCleanup(cluster.run, "ctl", "scontrol", "update", f"NodeName={node}", "AvailableFeatures=", "ActiveFeatures=")
        set_policy(*self.KINDS, compat={"features": "[skylake, zen3]"})
        self.addCleanup(clear_policy, *self.KINDS)

    def test_the_kind_of_its_checkpoint_is_demanded(self):
        job = submit(SCRIPT, "--checkpoint", "--checkpoint-interval=none", "--exclude=n2,n3", node=None, name="kind")
        job.wait_output("line 5\n")
        job.as_user("scontrol", "requeue", job.name)
        info = job.wait_info("is constrained", lambda info: info["Features"] == "zen3" and info["JobState"] != "COMPLETING")
        self.assertEqual(info["JobState"], "PENDING", "before it could start")
        job.as_user("scontrol", "update", f"JobId={job.name}", "ExcNodeList=n1")
        wait_for(f"{job} is restored", lambda: restorations(job))
        with self.subTest("once only"):
            job.as_user("scontrol", "requeue", job.name)
            job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING")
            wait_for(f"{job} is restored again", lambda: job.info()["Restarts"] == "2" and restorations(job))
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual((info["BatchHost"], info["Features"], info["Restarts"]), ("n3", "zen3", "2"))
        self.assertEqual(application_lines(job.output()), LINES)
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_beside_what_the_user_demands(self):
        jobs = {users: submit(SCRIPT, "--checkpoint", "--checkpoint-interval=none", f"--constraint={users}", "--exclude=n2,n3", node=None)
                for users in ("big&zen3", "big", "[skylake|zen3]")}
        expected = {"big&zen3": "big&zen3", "big": "big&zen3", "[skylake|zen3]": "[skylake|zen3]"}
        for users, job in jobs.items():
            job.wait_output("line 5\n")
            job.as_user("scontrol", "requeue", job.name)
        for users, job in jobs.items():
            wait_for(f"{job} is restored", lambda: restorations(job))
            self.assertEqual(job.info()["Features"], expected[users])
            job.path("go").touch()
        for job in jobs.values():
            self.assert_ended(end(job))
            self.assertEqual(application_lines(job.output()), LINES)
        assert_clean(*jobs.values())


main()
