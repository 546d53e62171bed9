# SPDX-License-Identifier: GPL-2.0-or-later
"""A job's life as its user sees it afterwards, with sckpt show and sckpt report; and what a node has done, as Prometheus reads it."""

import json
import re

from lib import *

SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate go
count line 21 40
"""
EXPECTED = [f"line {i}" for i in range(1, 41)]
READ = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect("/run/ckptd/metrics.sock")
s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
text = b""
while piece := s.recv(65536):
    text += piece
sys.stdout.write(text.decode())
"""

KEEPS = """
import socket, sys
kept = []
for _ in range(40):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect("/run/ckptd/metrics.sock")
    kept.append(one)
print("connected", flush=True)
sys.stdin.read()
"""


def sckpt(*arguments, node="n1", user="alice"):
    return cluster.attempt(node, "sckpt", *arguments, user=user)


def metrics(node):
    """{name and labels: value}"""
    text = cluster.run(node, "sckpt", "metrics")
    return {key: float(value) for key, value in re.findall(r"^slurm_checkpoint_(\S+) (\S+)$", text, re.MULTILINE)}


class Life(SystemTest):
    def test_life(self):
        before = {node: metrics(node) for node in ("n1", "n2")}
        job = submit(SCRIPT, "--checkpoint", "--checkpoint-interval=none", "--checkpoint-keep=1")
        job.wait_output("line 20\n")
        for _ in range(2):
            self.assertEqual(sckpt("create", job.id).returncode, 0)
        with self.subTest("counted while it runs"):
            self.assertEqual(metrics("n1")['jobs{state="checkpointed"}'], 1)
        requeue(job, to="n2")
        wait_restored(job, 1)
        for verb in ("show", "report"):
            with self.subTest(verb):
                text = sckpt(verb, job.id).stdout
                self.assertRegex(text, rf"job {job.id} of alice in \S+, ")
                self.assertRegex(text, r"(?m)^ +0  n1 +\S*3")
                self.assertRegex(text, r"(?m)^ +1  n2 +\S* +restored from generation 3$")
                self.assertRegex(text, r"(?m)^1 restore; \d+ \w+ of run time need not be spent again, \d+ \w+ of CPU time$")
        told = [json.loads(line) for line in sckpt("report", job.id, "--json").stdout.splitlines()]
        self.assertEqual([event["event"] for event in told[-1]["history"]], ["generation"] * 3 + ["start"])
        self.assertRegex(sckpt("report", job.id).stdout, r"(?m)^ +0 +1 .* on demand .* n1 .* removed$")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), EXPECTED)
        with self.subTest("a page, when all of it is gone"):
            self.assertEqual(generations(job), [])
            page = wait_for("its end is known", lambda: self.page(job))
            self.assertIn("generation 3 of incarnation 0", page)
            self.assertIn("completed", page)
            self.assertNotIn("<script", page)
        with self.subTest("root sees all of it"):
            own, roots = (sckpt("report", job.id, user=user).stdout for user in ("alice", "root"))
            self.assertIn("restored from generation 3", roots)
            self.assertEqual(roots, own)
        with self.subTest("of nobody else"):
            done = sckpt("report", job.id, user="bob")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"no checkpoint of job {job.id}", done.stderr)
        with self.subTest("counted"):
            after = {node: metrics(node) for node in ("n1", "n2")}
            grown = {node: {key: value - before[node].get(key, 0) for key, value in after[node].items()} for node in after}
            self.assertEqual(grown["n1"]['generations_total{reason="on_demand"}'], 2)
            self.assertEqual(grown["n1"]['generations_total{reason="forced_end"}'], 1)
            self.assertEqual(grown["n1"]["pause_seconds_count"], 3)
            self.assertGreater(grown["n1"]["image_bytes_total"], grown["n1"]["stored_bytes_total"])
            self.assertEqual(grown["n2"]["restore_seconds_count"], 1)
            self.assertGreater(grown["n2"]["saved_cpu_seconds_total"], 0)
            self.assertEqual(after["n1"]['jobs{state="checkpointed"}'], before["n1"]['jobs{state="checkpointed"}'])
        assert_clean(job)

    def page(self, job):
        done = sckpt("report", job.id, "--html", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout if "end" in done.stdout and "completed" in done.stdout else None

    def test_a_file_that_cannot_be_written(self):
        job = submit(SCRIPT, "--checkpoint", "--checkpoint-interval=none")
        job.wait_output("line 20\n")
        self.assertEqual(sckpt("create", job.id).returncode, 0)
        done = sckpt("report", job.id, "--html", "/nowhere/page.html")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^sckpt: error: write /nowhere/page.html: No such file or directory; name a file that you may write, .*\[CKPT-\d+\]$")
        with self.subTest("no link is followed"):
            cluster.run("n1", "ln", "-s", "/etc/victim.html", f"{job.directory}/link.html", user="alice")
            done = sckpt("report", job.id, "--html", f"{job.directory}/link.html", user="root")
            self.assertEqual(done.returncode, 1)
            self.assertIn("no regular file", done.stderr)
            self.assertNotEqual(cluster.attempt("n1", "test", "-e", "/etc/victim.html").returncode, 0)
        with self.subTest("a full disk is no success"):
            for command in (f"report {job.id}", f"report {job.id} --html -", f"show {job.id}", "list --json", "--help", "metrics", "doctor"):
                done = cluster.attempt("n1", "sh", "-c", f"sckpt {command} >/dev/full", user="alice")
                self.assertNotEqual(done.returncode, 0, command)
                self.assertIn("not all of standard output could be written", done.stderr, command)
        self.assertEqual(sckpt("report", job.id, "--html", f"{job.directory}/page.html").returncode, 0)
        self.assertTrue(job.path("page.html").read_text().startswith("<!DOCTYPE html>"))
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)


class Metrics(SystemTest):
    def test_socket(self):
        """Any client of HTTP may read it, whoever runs it."""
        answer = cluster.attempt("n1", "/usr/bin/python3", "-c", READ, user="alice").stdout
        head, _, body = answer.partition("\n\n")  # "\r\n" was read as a line's end
        self.assertTrue(head.startswith("HTTP/1.0 200 OK\nContent-Type: text/plain; version=0.0.4\n"), answer)
        self.assertIn(f"Content-Length: {len(body)}", head)
        self.assertRegex(body, r'(?m)^slurm_checkpoint_build_info\{version="[\d.]+"\} 1$')

    def test_one_who_keeps_it_busy(self):
        """Keeps nobody else from being answered."""
        keeps = cluster.background("n1", "/usr/bin/python3", "-c", KEEPS, user="bob")
        self.addCleanup(keeps.wait)
        self.addCleanup(keeps.stdin.close)
        self.assertEqual(keeps.stdout.readline(), "connected\n")
        for user in ("alice", "root"):
            done = sckpt("metrics", user=user)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("slurm_checkpoint_policy_good 1", done.stdout)

    def test_textfile_and_policy(self):
        path = "/var/tmp/checkpoint.prom"
        self.addCleanup(clear_policy, "n1")
        self.addCleanup(cluster.run, "n1", "rm", "-f", path)
        set_policy("n1", metrics={"textfile": path, "every": "1s"})
        text = wait_for("the file", lambda: cluster.attempt("n1", "cat", path, user="alice").stdout)
        self.assertIn("\nslurm_checkpoint_policy_good 1\n", text)
        cluster.write("n1", "/etc/slurm/checkpoint.yaml", "version: 1\nnonsense: 1\n")
        cluster.run("n1", "pkill", "-HUP", "--exact", "ckptd")
        wait_for("it is said that the policy is bad", lambda: "\nslurm_checkpoint_policy_good 0\n" in cluster.run("n1", "cat", path))
        self.assertEqual(metrics("n1")["policy_good"], 0)

    def test_clients_that_are_slow(self):
        """They hold up neither each other nor jobs."""
        hold = cluster.background("n1", "/usr/bin/python3", "-c", "import socket, sys\nkept = []\nfor i in range(40):\n"
                                  "    s = socket.socket(socket.AF_UNIX)\n    s.connect('/run/ckptd/metrics.sock')\n    kept.append(s)\n"
                                  "print('connected', flush=True)\nsys.stdin.read()", user="bob")
        self.addCleanup(hold.wait)
        self.addCleanup(hold.stdout.close)
        self.addCleanup(hold.stdin.close)
        self.assertEqual(hold.stdout.readline().strip(), "connected")
        wait_for("metrics again", lambda: cluster.attempt("n1", "sckpt", "metrics").returncode == 0)


if __name__ == "__main__":
    main()
