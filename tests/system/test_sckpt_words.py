# SPDX-License-Identifier: GPL-2.0-or-later
"""Every verb of sckpt and every option of each, with words that nobody should give them: one line that says what is wrong, and nothing
else happens. Verbs and options are taken from its own help, so that none is left out."""

import re

from lib import *

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
    named = [(name, value) for name, value in re.findall(r"(?m)^\s+(?:-\w, ?)*(--[a-z-]+)(?:,\s*JOBID)?( [A-Z]+)?", text) if name not in ("--help", "--help-all")]
    return [(name, bool(value)) for name, value in named]


class Words(SystemTest):
    def assert_refused_or_quiet(self, words):
        done = sckpt(*words)
        self.assertIn(done.returncode, (0, 1, 2), f"{done.returncode}: {done.stderr[:500]}")
        if done.returncode == 0:
            self.assertEqual(done.stderr, "")
            return
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr[:2000])
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
        for verb in verbs():
            for kind, value in BAD.items():
                if verb[0] == "probe" or value == "":
                    continue
                with self.subTest(" ".join(verb), word=kind):
                    self.assert_refused_or_quiet([*verb, "--", value])

    def test_every_option(self):
        for verb in verbs():
            for name, takes_value in options(verb):
                for kind, value in BAD.items() if takes_value else (("value", "x"),):
                    with self.subTest(" ".join(verb), option=name, value=kind):
                        self.assert_refused_or_quiet([*verb, f"{name}={value}", *NEEDS.get(verb[0], [])])

    def test_unknown_ones(self):
        for words in (["lsit"], ["--nonsense"], ["list", "--nonsense"], ["policy"], ["key", "crate"], ["\n"], ["x" * 100_000], ["list", "list"]):
            with self.subTest(str(words)[:40]):
                done = sckpt(*words)
                self.assertEqual(done.returncode, 1)
                self.assert_refused_or_quiet(words)


if __name__ == "__main__":
    main()
