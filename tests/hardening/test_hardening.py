# SPDX-License-Identifier: GPL-2.0-or-later
"""What the built programs have against an attacker who has found a way in: read from the files that are installed."""

import os
import re
import subprocess
import unittest
from pathlib import Path

PROGRAMS = [Path(path) for path in os.environ["CKPT_PROGRAMS"].split(":")]
STATIC = {"ckpt-shim", "srun", "ckpt-init"}
# The others call none of the functions that libc checks so.
COPYING = {"ckptd", "sckpt", "ckpt-engine", "ckpt-sealer", "ckpt-handshake"}
FIXED = {"ckpt-init"}  # see criu-glue/init/CMakeLists.txt
PLUGIN = "checkpoint.so"


def readelf(path, *options):
    return subprocess.run(["readelf", "--wide", *options, path], capture_output=True, text=True, check=True).stdout


def symbols(path):
    return readelf(path, "--symbols", "--dyn-syms")


class Hardening(unittest.TestCase):
    def each(self, check):
        self.assertIn("ckptd", [path.name for path in PROGRAMS])
        for path in PROGRAMS:
            with self.subTest(path.name):
                check(path)

    def test_loaded_at_a_random_address(self):
        def check(path):
            self.assertRegex(readelf(path, "--file-header"), r"Type: +EXEC " if path.name in FIXED else r"Type: +DYN ")

        self.each(check)

    def test_no_memory_is_both_written_and_executed(self):
        def check(path):
            segments = readelf(path, "--program-headers")
            self.assertRegex(segments, r"GNU_STACK .* RW +0x")
            self.assertNotRegex(segments, r"LOAD .* RWE")

        self.each(check)

    def test_relocations_are_read_only_before_the_program_runs(self):
        def check(path):
            if path.name in FIXED:
                return  # it has none
            self.assertIn("GNU_RELRO", readelf(path, "--program-headers"))
            self.assertRegex(readelf(path, "--dynamic"), r"\(BIND_NOW\)|\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW")

        self.each(check)

    def test_stacks_have_canaries(self):
        self.each(lambda path: self.assertIn("__stack_chk_fail", symbols(path)))

    def test_copies_of_unknown_length_are_checked(self):
        for path in PROGRAMS:
            if path.name in COPYING:
                with self.subTest(path.name):
                    self.assertRegex(symbols(path), r"\b__\w+_chk\b")

    def test_no_search_path_of_its_own(self):
        self.each(lambda path: self.assertNotRegex(readelf(path, "--dynamic"), r"\((RPATH|RUNPATH)\)"))

    def test_what_a_users_environment_could_steer_has_no_libraries(self):
        self.each(lambda path: self.assertEqual(path.name in STATIC, "(NEEDED)" not in readelf(path, "--dynamic")))

    def test_the_plugin_shows_nothing_but_what_slurm_asks_for(self):
        plugin = next(path for path in PROGRAMS if path.name == PLUGIN)
        shown = {line.split()[-1] for line in readelf(plugin, "--dyn-syms").splitlines() if re.search(r" GLOBAL +DEFAULT +\d+ ", line)}
        self.assertIn("slurm_spank_init", shown)
        self.assertEqual([name for name in shown if not re.match(r"slurm_spank_|spank_plugin_version$|plugin_(name|type|version)$", name)], [])


unittest.main(verbosity=2)
