# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the documentation want of a Markdown file: its headings, fenced blocks and links."""

import re
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(`{3,})(\w*)\s*$")
HEADING = re.compile(r"^#+ +(.*?) *$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass
class Block:
    """A fenced block: the heading above it, its language, its text, and where it is."""
    heading: str
    language: str
    text: str
    line: int


class Document:
    def __init__(self, path):
        self.path = Path(path)
        self.blocks, self.headings, self.links = [], [], []
        heading, block, fence = "", None, ""
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            if block is not None:
                if line.strip() == fence:
                    self.blocks.append(block)
                    block = None
                else:
                    block.text += line + "\n"
            elif found := FENCE.match(line):
                fence, block = found[1], Block(heading, found[2], "", number + 1)
            elif found := HEADING.match(line):
                heading = found[1]
                self.headings.append(heading)
            else:
                self.links += [(number, target) for target in LINK.findall(line)]
        assert block is None, f"{self.path}: a block is not closed"

    def scripts(self):
        """Complete job scripts, {heading: [script, ...]}."""
        found = {}
        for block in self.blocks:
            if block.language == "bash" and block.text.startswith("#!/bin/bash\n"):
                found.setdefault(block.heading, []).append(block.text)
        return found


def documents():
    """Every Markdown file of the project."""
    return [Document(path) for path in sorted(SOURCE.rglob("*.md"))]
