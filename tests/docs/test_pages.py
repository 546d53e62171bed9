# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages are clean, and so are the completion and the scripts that users copy."""

import re
import subprocess
import unittest

from markdown import SOURCE, Document
from pages import PAGES, page, section


class Pages(unittest.TestCase):
    def assert_silent(self, *command, text=""):
        done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.stdout, done.returncode), ("", 0))

    def test_man(self):
        self.assertEqual([path.name for path in PAGES], ["checkpoint.yaml.5", "ckptd.8", "sckpt.1", "slurm-checkpoint.7"])
        for path in PAGES:
            with self.subTest(path.name):
                done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)], text=True,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_mandoc(self):
        for path in PAGES:
            with self.subTest(path.name):
                self.assert_silent("mandoc", "-T", "lint", str(path))

    def test_they_refer_to_each_other(self):
        names = {re.sub(r"\.(\d)$", r"(\1)", path.name) for path in PAGES}
        for path in PAGES:
            own = re.sub(r"\.(\d)$", r"(\1)", path.name)
            found = {f"{name}({number})" for name, number in re.findall(r"([\w.-]+) \((\d)\)", section(page(path.name), "SEE ALSO"))}
            self.assertEqual(found & names, names - {own}, path.name)

    def test_completion(self):
        self.assert_silent("shellcheck", str(SOURCE / "packaging" / "completion" / "sckpt.bash"))

    def test_scripts_of_the_guide(self):
        for heading, scripts in Document(SOURCE / "docs" / "user-guide.md").scripts().items():
            for script in scripts:
                with self.subTest(heading):
                    self.assert_silent("shellcheck", "-", text=script)


if __name__ == "__main__":
    unittest.main()
