# SPDX-License-Identifier: GPL-2.0-or-later
"""slurm-checkpoint(7) has every option of the table, each with its form in the environment, and no other."""

import re
import unittest

from markdown import SOURCE
from pages import page, paragraphs, section

TABLE = SOURCE / "conf" / "policy" / "request.cpp"
PAGE = page("slurm-checkpoint.7")


def option_table():
    """{"--checkpoint-keep": "CHECKPOINT_KEEP"}"""
    rows = re.findall(r"OptionRow\{(.*?)\}", TABLE.read_text(), re.DOTALL)
    found = {}
    for row in rows:
        strings = re.findall(r'"([^"]*)"', row)
        found[f"--{strings[0]}"] = strings[-1]
    return found


class Options(unittest.TestCase):
    def test_the_table_is_read(self):
        self.assertEqual(option_table()["--checkpoint-max-restarts"], "CHECKPOINT_MAX_RESTARTS")

    def test_each_has_a_paragraph(self):
        found = {}
        for tag, _ in paragraphs(section(PAGE, "OPTIONS")):
            found[re.match(r"--[-a-z]+", tag)[0]] = re.search(r"SBATCH_([A-Z_]+)", tag)[1]
        self.assertEqual(found, option_table())

    def test_no_other_is_named(self):
        table = option_table()
        for path in sorted([*(SOURCE / "docs").glob("*.md"), *(SOURCE / "docs" / "man").iterdir(), SOURCE / "README.md"]):
            text = path.read_text().replace("\\-", "-")
            for option in re.findall(r"--checkpoint(?:-[a-z]+)*(?![-a-z…])", re.sub(r"\\f.", "", text)):
                self.assertIn(option, table, path.name)
            for variable in re.findall(r"SBATCH_(CHECKPOINT\w*)", text):
                self.assertIn(variable, table.values(), path.name)


if __name__ == "__main__":
    unittest.main()
