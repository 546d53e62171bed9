# SPDX-License-Identifier: GPL-2.0-or-later
"""skips.py FILE: the tests that ctest skipped, from what it wrote with --output-junit, and why. Exit status 1 if there are any."""

import re
import sys
import xml.etree.ElementTree as xml

REASON = re.compile(r"skipped '(.*)'|: Skipped\n(.*)")  # as unittest and GoogleTest say it


def main(path):
    skipped = [case for case in xml.parse(path).iter("testcase") if case.find("skipped") is not None]
    for case in skipped:
        output = case.findtext("system-out") or ""
        reasons = {next(filter(None, match.groups()), "") for match in REASON.finditer(output)}
        print(f"skipped {case.get('name')}: {'; '.join(sorted(reasons)) or 'no reason given'}")
    return 1 if skipped else 0


sys.exit(main(sys.argv[1]))
