# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/security.md names tests that there are, and every attack on a running system has a row."""

import re
import sys
import unittest

from markdown import SOURCE

sys.path.insert(0, str(SOURCE / "tests" / "lib"))
from attacks import named  # noqa: E402


def tests_of(kind):
    """Suites, and their tests as SUITE.TEST."""
    names = set()
    for path in (SOURCE / "tests" / kind).glob("*.cpp"):
        for suite, test in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
            names |= {suite, f"{suite}.{test}"}
    return names


class Security(unittest.TestCase):
    def test_what_is_named_exists(self):
        there = {kind: tests_of(kind) for kind in ("unit", "criu")}
        there["system"] = {path.stem.removeprefix("test_") for path in (SOURCE / "tests" / "system").glob("test_*.py")}
        for kind, name in named():
            self.assertIn(name, there[kind], f"{kind}.{name}")
        self.assertIn(("system", "engine"), named(), "where criu's run")

    def test_every_attack_is_named(self):
        attacks = {path.stem.removeprefix("test_") for path in (SOURCE / "tests" / "system").glob("test_attack_*.py")}
        self.assertEqual(attacks - {name for kind, name in named() if kind == "system"}, set())


if __name__ == "__main__":
    unittest.main()
