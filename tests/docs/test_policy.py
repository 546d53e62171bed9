# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpoint.yaml(5) and docs/policy.md have every key of the policy, with the same values; every policy that is shown is one."""

import re
import tempfile
import unittest

from markdown import SOURCE, documents
from pages import page, paragraphs, section
from sckpt import sckpt

ROWS = SOURCE / "conf" / "policy" / "policy_rows.cpp"
PAGE = page("checkpoint.yaml.5")


def keys():
    rows = re.findall(r'PolicyRow\{\s*"(\w+)", "(\w+)"', ROWS.read_text())
    return {"version", "scopes", *(f"{section}.{key}" for section, key in rows)}


def table():
    """{key: (built-in value, accepted values)} of docs/policy.md."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \| .* \|$", (SOURCE / "docs" / "policy.md").read_text(), re.MULTILINE)
    return {key: (built_in.replace("`", ""), accepted.replace("`", "")) for key, built_in, accepted in rows}


class Policy(unittest.TestCase):
    def test_every_key_is_documented(self):
        self.assertGreater(len(keys()), 40)
        self.assertEqual(set(table()), keys())
        self.assertEqual({tag for tag, _ in paragraphs(section(PAGE, "KEYS"))}, keys())

    def test_built_in_values(self):
        """As docs/policy.md has them, whose values tests/unit/policy_yaml_test.cpp knows."""
        for key, body in paragraphs(section(PAGE, "KEYS")):
            with self.subTest(key):
                found = re.search(r"Built-in: (.*)\.$", " ".join(body.split()))
                self.assertEqual(found[1] if found else "none, required", table()[key][0])

    def test_every_policy_that_is_shown(self):
        shown = [(f"{document.path.name}:{block.line}", block.text) for document in documents() for block in document.blocks
                 if block.language == "yaml" and re.search(r"^version:", block.text, re.MULTILINE)]
        shown += [(f"checkpoint.yaml.5, {number}", text) for number, text in
                  enumerate(re.findall(r"^\.RS\n(version:.*?)^\.RE$", PAGE, re.MULTILINE | re.DOTALL))]
        shown.append(("examples/checkpoint.yaml", (SOURCE / "conf" / "examples" / "checkpoint.yaml").read_text()))
        self.assertGreater(len(shown), 3)
        for name, text in shown:
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(text)
                file.flush()
                done = sckpt("policy", "check", file.name)
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
