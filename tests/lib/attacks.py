# SPDX-License-Identifier: GPL-2.0-or-later
"""attacks.py unit|system: a regular expression for ctest with the tests of that kind that docs/security.md names."""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def named():
    """[(kind, name)...]: "unit" and "criu" with a suite, or SUITE.TEST; "system" with what is between test_ and .py."""
    return sorted(set(re.findall(r"`(unit|criu|system)\.([\w.]+)`", PAGE.read_text())))


def expression(kind):
    names = [name.replace(".", "[.]") + ("" if "." in name or kind == "system" else "[.]") for of, name in named() if of == kind]
    # A suite with parameters has a name and a slash in front, and its tests a number behind.
    return f"^{kind}[.](.*/)?({'|'.join(names)})" + ("$" if kind == "system" else "")


if __name__ == "__main__":
    print(expression(sys.argv[1]))
