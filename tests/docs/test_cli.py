# SPDX-License-Identifier: GPL-2.0-or-later
"""sckpt(1) and the completion know every verb and option that `sckpt --help` knows, and no other."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from markdown import SOURCE
from pages import page, paragraphs, section
from sckpt import verbs

COMPLETION = SOURCE / "packaging" / "completion" / "sckpt.bash"
HELP = {"-h", "--help"}
GROUPS = {"key", "policy"}  # verbs of which others are made
PAGE = page("sckpt.1")


def leaves():
    return {path: options for path, options in verbs().items() if path and path[-1] not in GROUPS}


def spellings(path):
    return set().union(*verbs()[path])


def words(text):
    return re.findall(r"(?<![-\w])--?\w[-\w]*", text)


class Page(unittest.TestCase):
    def test_verbs(self):
        tags = [re.sub(r" ?(\[|[A-Z]).*", "", tag) for tag, _ in paragraphs(section(PAGE, "VERBS"))]
        self.assertEqual(sorted(tags), sorted(" ".join(path) for path in leaves()))

    def test_synopsis(self):
        found = set()
        for line in section(PAGE, "SYNOPSIS").splitlines():
            verb = re.match(r"sckpt (key )?([a-z|]+)", line)
            if verb:
                found |= {f"{verb[1] or ''}{name}" for name in verb[2].split("|")}
        self.assertEqual(found - {"policy"}, {" ".join(path) for path in leaves()} - {"policy check"})

    def test_options(self):
        """Each in a paragraph that names the verbs that have it."""
        described = {frozenset(words(tag)) for tag, _ in paragraphs(section(PAGE, "OPTIONS"))}
        known = {}
        for path, options in verbs().items():
            for option in options:
                known.setdefault(option, set()).add(" ".join(path))
        self.assertEqual(described, set(known))
        every = {path[0] for path in leaves() if len(path) == 1}
        for option, having in known.items():
            if option != HELP:
                with self.subTest(option):
                    self.assertEqual(bold_verbs(option) & every, having - {""})


def bold_verbs(option):
    """The verbs in bold in the paragraph of OPTION."""
    raw = (SOURCE / "docs" / "man" / "sckpt.1").read_text().replace("\\-", "-")
    for tag, body in paragraphs(section(raw, "OPTIONS")):
        if frozenset(words(re.sub(r"\\f.", "", tag))) == option:
            return set(re.findall(r"\\fB([a-z]+)\\fR", body))
    return set()


class Completion(unittest.TestCase):
    def complete(self, *line, **files):
        """What the words of LINE, of which the last one is incomplete, may become; FILES are programs of the PATH."""
        script = 'source "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _sckpt; printf "%s\\n" "${COMPREPLY[@]}"'
        with tempfile.TemporaryDirectory() as directory:
            for name, text in files.items():
                path = Path(directory) / name
                path.write_text(f"#!/bin/sh\n{text}\n")
                path.chmod(0o755)
            done = subprocess.run(["bash", "-c", script, str(COMPLETION), "sckpt", *line], text=True, capture_output=True, check=True,
                                  env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"})
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_verbs_and_options(self):
        names = {path[0] for path in verbs() if len(path) == 1}
        self.assertEqual(self.complete(""), names | spellings(()))
        for group in GROUPS:
            self.assertEqual(self.complete(group, ""), {path[1] for path in verbs() if path[0:1] == (group,) and len(path) == 2} | HELP)
        for path in leaves():
            with self.subTest(path):
                self.assertEqual(self.complete(*path, "-") - {"--"}, spellings(path))
        self.assertEqual(self.complete("ver"), {"verify"})
        self.assertEqual(self.complete("list", "--no"), {"--noheader"})

    def test_jobs(self):
        """A running job for what needs one, also those that have ended for the rest."""
        programs = {"squeue": "[ \"$*\" = '--me -h -o %A' ] && printf '7001\\n7002\\n'",
                    "sckpt": "[ \"$*\" = 'list --noheader' ] && printf ' 7002 0 1 x\\n 6001 0 1 x\\n 6001 0 2 x\\n'"}
        for verb in ("create", "requeue", "vacate", "disable", "enable", "explain"):
            self.assertEqual(self.complete(verb, "", **programs), {"7001", "7002"}, verb)
        for verb in ("list", "show", "report", "verify", "restart"):
            self.assertEqual(self.complete(verb, "", **programs), {"7001", "7002", "6001"}, verb)
        self.assertEqual(self.complete("show", "--json", "--job", "=", "60", **programs), {"6001"})
        self.assertEqual(self.complete("restart", "7001", "--", "--", **programs), set())
        self.assertEqual(self.complete("create", "", squeue="echo error >&2; exit 1"), set())

    def test_nodes_and_files(self):
        self.assertEqual(self.complete("drain", "n", sinfo="printf 'n1\\nn1\\nn2\\nx3\\n'"), {"n1", "n2"})
        self.assertIn("/etc/passwd", self.complete("policy", "check", "/etc/pass"))
        self.assertIn("/etc/passwd", self.complete("probe", "--seconds", "9", "--", "/etc/pass"))
        self.assertEqual(self.complete("probe", "-O", "--par"), set())
        self.assertEqual(self.complete("list", "-o", "JOBID,ST"), {"JOBID,STORED"})
        self.assertEqual(self.complete("key", "use", ""), set())


if __name__ == "__main__":
    unittest.main()
