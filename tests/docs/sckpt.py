# SPDX-License-Identifier: GPL-2.0-or-later
"""The program itself, of the build under test."""

import functools
import os
import re
import subprocess

PROGRAM = os.environ["CKPT_SCKPT"]


def sckpt(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], text=True, capture_output=True, stdin=subprocess.DEVNULL)


@functools.cache
def verbs(path=()):
    """{verb as a tuple of words: its options as a set of sets of spellings}, recursively; () is sckpt itself."""
    text = sckpt(*path, "--help").stdout
    options = re.findall(r"^  (-\S+)", _part(text, "Options"), re.MULTILINE)
    found = {path: frozenset(frozenset(option.split(",")) for option in options)}
    for name in re.findall(r"^  (\S+)", _part(text, "Subcommands"), re.MULTILINE):
        found.update(verbs((*path, name)))
    return found


def _part(text, title):
    found = re.search(rf"^{title}:\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE)
    return found[1] if found else ""
