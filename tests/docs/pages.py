# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages as the tests want them: text without fonts, and the paragraphs that .TP begins."""

import re

from markdown import SOURCE

PAGES = sorted((SOURCE / "docs" / "man").glob("*.[0-9]"))


def page(name):
    """Its source, without escapes and fonts."""
    text = (SOURCE / "docs" / "man" / name).read_text()
    return re.sub(r"\\f[A-Z]", "", text.replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'").replace("\\&", ""))


def section(text, title):
    """What is between `.SH TITLE` and the next section."""
    found = re.search(rf'^\.SH "?{re.escape(title)}"?\n(.*?)(?=^\.SH |\Z)', text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def paragraphs(text):
    """[(tag, body)] of what .TP begins. The tag is without macros, quotes and blanks at its ends."""
    found = []
    for each in re.split(r"^\.TP\n", text, flags=re.MULTILINE)[1:]:
        tag, _, body = each.partition("\n")
        found.append((_plain(tag), re.split(r"^\.(?:SS|PP)\b", body, flags=re.MULTILINE)[0]))
    return found


def _plain(line):
    """The words of a macro line as they are shown: those of .BR, .BI and the like without blanks between them."""
    macro = re.match(r"\.([BIR]+) +(.*)", line)
    if not macro:
        return line.strip()
    words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', macro[2])]
    return ("" if len(macro[1]) == 2 else " ").join(words).strip()
