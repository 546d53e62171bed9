# SPDX-License-Identifier: GPL-2.0-or-later
"""Every verb of sckpt and every option of each, with words that nobody should give them: one line that says what is wrong, and nothing
else happens. Verbs and options are taken from its own help, so that none is left out."""

import json
import re

from lib import *

# All of them in one go: a program's start takes longer from here than there.
RUN_ALL = """
import json, subprocess, sys
for words in json.load(sys.stdin):
    done = subprocess.run(["sckpt", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    print(json.dumps([done.returncode, done.stderr[:5000]]))
"""

# The kernel takes no argument of more than 128 KiB.
BAD = {"empty": "", "unknown": "no such thing", "overflow": "99999999999999999999", "negative": "-7", "newline": "1\n2", "control": "\x1b[2J",
       "format": "%n%s", "climbing": "../../etc/shadow", "long": "9" * 120_000}
NEEDS = {"probe": ["--inside-not-an-option"]}  # never enough to start something


def sckpt(*arguments, node="n1"):
    return cluster.attempt(node, "sckpt", *arguments, user="alice")


def verbs(*above):
    """Of `sckpt ABOVE… --help`, those of sub-verbs too: lists of words."""
    text = sckpt(*above, "--help").stdout
    part = re.split(r"(?m)^(?:SUBCOMMANDS|Subcommands):$", text)
    names = re.findall(r"(?m)^  ([a-z]+)", part[1]) if len(part) > 1 else []
    return [word for name in names for word in (verbs(*above, name) or [[*above, name]])]


def options(verb):
    """[(how it is named, whether it takes a value)]"""
    text = sckpt(*verb, "--help").stdout
    named = [(name, value) for name, value in re.findall(r"(?m)^\s+(?:-\w,\s*)*(--[a-z-]+)(?:,\s*JOBID)?( [A-Z]+)?", text) if name not in ("--help", "--help-all")]
    return [(name, bool(value)) for name, value in named]


class Words(SystemTest):
    def assert_refused_or_quiet(self, all_words):
        """Each of these is either refused with one line, or does what it means without a word of trouble."""
        text = cluster.attempt("n1", "/usr/bin/python3", "-c", RUN_ALL, user="alice", input=json.dumps(all_words)).stdout
        results = [json.loads(line) for line in text.splitlines()]
        self.assertEqual(len(results), len(all_words))
        for words, (status, messages) in zip(all_words, results):
            with self.subTest(" ".join(words)[:60]):
                self.assertIn(status, (0, 1, 2), messages[:500])
                if status == 0 or words[:1] == ["doctor"] and not messages:  # what that finds is on standard output
                    self.assertEqual(messages, "")
                    continue
                lines = messages.splitlines()
                self.assertEqual(len(lines), 1, messages[:2000])
                self.assertRegex(lines[0], r"^sckpt: error: .+ \[CKPT-\d{3}\]$")
                self.assertTrue(lines[0].isprintable(), repr(lines[0][:500]))
                self.assertLess(len(lines[0]), 1500)

    def test_the_help_is_understood(self):
        found = [" ".join(verb) for verb in verbs()]
        for verb in ("list", "show", "create", "vacate", "requeue", "restart", "verify", "prune", "explain", "probe", "doctor", "drain", "report",
                     "metrics", "policy check", "key create"):
            self.assertIn(verb, found)
        self.assertIn(("--json", False), options(["list"]))
        self.assertIn(("--user", True), options(["list"]))

    def test_every_verb(self):
        self.assert_refused_or_quiet([[*verb, "--", value] for verb in verbs() if verb[0] != "probe" for value in BAD.values() if value])

    def test_every_option(self):
        values = [("value", "x")]
        self.assert_refused_or_quiet([[*verb, f"{name}={value}", *NEEDS.get(verb[0], [])] for verb in verbs() for name, takes_value in options(verb)
                                      for _, value in (BAD.items() if takes_value else values)])

    def test_unknown_ones(self):
        self.assert_refused_or_quiet([["lsit"], ["--nonsense"], ["list", "--nonsense"], ["policy"], ["key", "crate"], ["\n"], ["x" * 100_000],
                                      ["list", "list"], []])


if __name__ == "__main__":
    main()
