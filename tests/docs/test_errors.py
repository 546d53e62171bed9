# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/errors.md explains each code of conf/result/codes.hpp and nothing else, and no page names another one."""

import re
import unittest

from markdown import SOURCE, documents
from pages import PAGES, page

CODES = re.findall(r"^ +\w+ = (\d+),", (SOURCE / "conf" / "result" / "codes.hpp").read_text(), re.MULTILINE)


class Errors(unittest.TestCase):
    def test_each_has_one_row(self):
        rows = re.findall(r"^\| CKPT-(\d+) \| [^|]+ \| [^|]+ \|$", (SOURCE / "docs" / "errors.md").read_text(), re.MULTILINE)
        self.assertEqual(rows, sorted(CODES))

    def test_no_page_names_another(self):
        texts = {document.path.name: document.path.read_text() for document in documents()}
        texts.update({path.name: page(path.name) for path in PAGES})
        for name, text in texts.items():
            for code in re.findall(r"CKPT-(\d+)", text):
                self.assertIn(code, CODES, name)


if __name__ == "__main__":
    unittest.main()
