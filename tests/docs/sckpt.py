# SPDX-License-Identifier: GPL-2.0-or-later
"""The program itself, of the build under test."""

import functools
import itertools
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
    found = {path: frozenset(_options(_part(text, "Options")))}
    for name in re.findall(r"^  (\S+)", _part(text, "Subcommands"), re.MULTILINE):
        found.update(verbs((*path, name)))
    return found


def _options(text):
    """Of lines such as "  -n,--dry-run TEXT  …", or "  -n,     --dry-run  …" since CLI11 2.5."""
    for line in re.findall(r"^ +(-.*)", text, re.MULTILINE):
        yield frozenset(itertools.takewhile(lambda word: word.startswith("-"), re.split(r"[,\s]+", line)))


def _part(text, title):
    found = re.search(rf"^(?i:{title}):\n((?:  .*\n|\n(?=  ))*)", text, re.MULTILINE)
    return found[1] if found else ""
