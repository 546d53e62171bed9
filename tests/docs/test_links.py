# SPDX-License-Identifier: GPL-2.0-or-later
"""Every link to something in this project points at something that is there."""

import re
import unittest

from markdown import Document, documents


def anchor(heading):
    """As GitHub and GitLab make it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Links(unittest.TestCase):
    def test_relative_links(self):
        checked = 0
        for document in documents():
            for line, target in document.links:
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(f"{document.path.name}:{line}", target=target):
                    name, _, fragment = target.partition("#")
                    path = document.path.parent / name if name else document.path
                    self.assertTrue(path.exists())
                    if fragment:
                        self.assertIn(fragment, map(anchor, Document(path).headings))
                    checked += 1
        self.assertGreater(checked, 20)


if __name__ == "__main__":
    unittest.main()
