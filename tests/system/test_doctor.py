# SPDX-License-Identifier: GPL-2.0-or-later
"""sckpt doctor: what is wrong with a node and with Slurm's settings, and what to do about it; sckpt probe: whether a program can be
checkpointed."""

import json

from lib import *
from lib.product import restart_daemon

KEY = "/etc/slurm/checkpoint.key"
PLUGSTACK = "/etc/slurm/plugstack.conf"
CGROUP_CONF = "/etc/slurm/cgroup.conf"
RUNS = "while :; do read -t 0.1 </dev/zero; : $((n++)); sleep 0.05; done"
OUTSIDE = ("/usr/bin/python3", "-c", "import socket, time; s = socket.socket(socket.AF_UNIX); s.connect('/run/munge/munge.socket.2'); time.sleep(60)")


def doctor(node="n1", user="root"):
    """{check: (health, found, remedy)}, and the exit status."""
    done = cluster.attempt(node, "sckpt", "doctor", "--json", user=user)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["check"]: (one["health"], one["found"], one["remedy"]) for one in found}, done.returncode


class Doctor(SystemTest):
    def assert_bad(self, check, words, remedy):
        findings, status = doctor()
        self.assertEqual((status, findings[check][0]), (1, "BAD"), findings)
        self.assertIn(words, findings[check][1])
        self.assertIn(remedy, findings[check][2])

    def test_a_good_node(self):
        findings, status = doctor()
        self.assertEqual(status, 0, findings)
        self.assertEqual({check for check, (health, _, _) in findings.items() if health == "BAD"}, set())
        for check in ("policy", "plugin", "ProctrackType", "KillWait", "ckptd", "criu", "key"):
            self.assertEqual(findings[check][0], "ok", findings[check])
        self.assertEqual(findings["storage.base"][0], "?", findings)  # a disk of this machine, which the nodes here share
        self.assertIn("as disks of one node are", findings["storage.base"][1])

    def test_for_people(self):
        text = cluster.attempt("n1", "sckpt", "doctor", user="alice")
        self.assertEqual(text.returncode, 0, text.stdout)
        self.assertRegex(text.stdout, r"(?m)^\? +key +only root can look at it$")

    def test_what_is_broken_is_found(self):
        with self.subTest("the key"):
            cluster.run("n1", "mv", KEY, KEY + ".away")
            self.addCleanup(cluster.attempt, "n1", "mv", KEY + ".away", KEY)
            self.assert_bad("key", KEY, "sckpt key create")
            cluster.run("n1", "mv", KEY + ".away", KEY)
            self.addCleanup(cluster.run, "n1", "chmod", "600", KEY)
            cluster.run("n1", "chmod", "644", KEY)
            self.assert_bad("key", "others may have seen the key", "0600")
            cluster.run("n1", "chmod", "600", KEY)
        with self.subTest("ckptd"):
            cluster.service("n1", "ckptd", "stop")
            self.addCleanup(restart_daemon, "n1")
            self.assert_bad("ckptd", "", "systemctl")
            restart_daemon("n1")
        with self.subTest("the policy"):
            self.addCleanup(clear_policy, "n1")
            set_policy("n1", text="version: 1\nengine: {crui: /x}\n")
            self.assert_bad("policy", 'unknown key "crui"', "")
            set_policy("n1", engine={"criu": "/nowhere/criu"})
            self.assert_bad("criu", "/nowhere/criu does not run", "engine.criu")
            set_policy("n1", storage={"base": "/nowhere/%u"})
            self.assert_bad("storage.base", "/nowhere is not there", "mount it")
            set_policy("n1", storage={"base": "/etc/hostname"})
            self.assert_bad("storage.base", "is no directory", "all nodes")
            set_policy("n1", storage={"base": "/home/alice"})
            self.assert_bad("storage.base", "belongs to uid", "chown root")
            clear_policy("n1")
        with self.subTest("plugstack.conf"):
            was = cluster.read("n1", PLUGSTACK)
            self.addCleanup(cluster.write, "n1", PLUGSTACK, was)
            cluster.write("n1", PLUGSTACK, "# nothing\n")
            self.assert_bad("plugin", "checkpoint.so is not in", "optional checkpoint.so")
            cluster.write("n1", PLUGSTACK, "optional /nowhere/checkpoint.so\n")
            self.assert_bad("plugin", "is not there", "package")
            cluster.write("n1", PLUGSTACK, "optional checkpoint.so policy=/nowhere.yaml\n")
            self.assert_bad("policy", "/nowhere.yaml is not there", "plugstack.conf")
        with self.subTest("cgroup.conf"):
            was = cluster.read("n1", CGROUP_CONF)
            self.addCleanup(cluster.write, "n1", CGROUP_CONF, was)
            cluster.write("n1", CGROUP_CONF, was + "SignalChildrenProcesses=yes\n")
            self.assert_bad("SignalChildrenProcesses", "before they are saved", "cgroup.conf")


class Probe(SystemTest):
    def probe(self, *command, seconds="1"):
        done = cluster.attempt("ctl", "sckpt", "probe", "--seconds", seconds, "-O", "--nodelist=n1", "--", *command, user="alice")
        verdict = [line for line in done.stdout.splitlines() if line.startswith("probe: ")]
        self.assertEqual(len(verdict), 1, done.stdout + done.stderr)
        return done.returncode, verdict[0], done.stderr

    def test_one_that_can_be(self):
        status, verdict, messages = self.probe("bash", "-c", RUNS)
        self.assertEqual((status, verdict), (0, "probe: it can be checkpointed: it was saved and restored, and ran on"), messages)

    def test_one_that_cannot_be(self):
        status, verdict, messages = self.probe(*OUTSIDE)
        self.assertEqual(status, 1, messages)
        self.assertRegex(verdict, r"^probe: it cannot be saved: the job has a socket connection to a process outside of it .*\[CKPT-4\d\d\]")

    def test_one_that_ends_too_early(self):
        status, verdict, _ = self.probe("bash", "-c", "exit 3", seconds="30")
        self.assertEqual((status, verdict[:60]), (2, "probe: not known: it had ended by itself, with status 3, before it was"[:60]))

    def test_refusals(self):
        for arguments, words in (((), "COMMAND is required"), (("--seconds", "0", "--", "true"), "--seconds=0"), (("--seconds", "x", "--", "true"), "seconds")):
            done = cluster.attempt("ctl", "sckpt", "probe", *arguments, user="alice")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    main()
