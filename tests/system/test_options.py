# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad values are refused when the job is submitted, with what was wrong and what is accepted. The options are those that
`sbatch --help` lists, so that a new one is tested as soon as it exists."""

import re

from lib import *

SCRIPT = "#!/bin/sh\ntrue\n"
MEBIBYTE = 1 << 20
BAD = {
    "empty": "",
    "unknown": "banana",
    "overflowing": "99999999999999999999999999",
    "negative": "-1",
    "newline": "30\n30",
    "only a newline": "\n",
    "not ASCII": "3\u00e9",
    "terminal escape": "\x1b[31m30",
}


def options():
    """{name: is its argument optional?}"""
    text = cluster.run("ctl", "sbatch", "--help")
    found = re.findall(r"^ +--(checkpoint[-a-z]*)=(\[?)", text, re.MULTILINE)
    return {name: bool(bracket) for name, bracket in found}


class Options(SystemTest):
    def assert_refused(self, name, done):
        self.assertNotEqual(done.returncode, 0, f"accepted: {done.stdout}")
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if name.upper().replace("-", "_") in line or f"--{name}" in line]
        self.assertEqual(len(lines), 1, done.stderr[:2000])
        self.assertRegex(lines[0], "; accepted: .+")
        self.assertLess(len(lines[0]), 1000)
        self.assertTrue(done.stderr.replace("\n", "").isprintable(), repr(done.stderr[:2000]))

    def test_the_table_is_there(self):
        self.assertGreaterEqual(set(options()), {"checkpoint", "checkpoint-interval", "checkpoint-dir", "checkpoint-keep"})

    def test_bad_values_on_the_command_line(self):
        for name, optional in options().items():
            for kind, value in BAD.items():
                if optional and value == "":
                    continue  # the same as without an argument
                with self.subTest(f"--{name}", value=kind):
                    self.assert_refused(name, attempt_submit(SCRIPT, f"--{name}={value}"))

    def test_bad_values_in_the_environment(self):
        for name in options():
            variable = "SBATCH_" + name.upper().replace("-", "_")
            with self.subTest(variable):
                self.assert_refused(name, attempt_submit(SCRIPT, prefix=(f"{variable}=banana",)))

    def test_a_mebibyte(self):
        """In the script: the kernel takes no argument of that size on a command line."""
        for name in options():
            with self.subTest(f"--{name}"):
                self.assert_refused(name, attempt_submit(f"#!/bin/sh\n#SBATCH --{name}={'9' * MEBIBYTE}\ntrue\n"))

    def test_nothing_was_submitted(self):
        self.assertEqual(cluster.run("ctl", "squeue", "--noheader", "--user=alice"), "")


main()
