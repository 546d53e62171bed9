# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong, and making it: at the named places of a test build (criu-glue/fault/fault.hpp), on the network, with the clock."""

import collections
import re
from pathlib import Path

from lib.cluster import COMPUTE, cluster

SOURCE = Path(__file__).resolve().parents[2]
DIRECTORY = "/run/ckpt-faults"
ALWAYS = ("crash", "hang", "slow")
ERRORS = ("EIO", "ENOSPC", "EINTR", "ECONNRESET")
PLACE = re.compile(r'CKPT_FAULT(_IN_TIME|ED)?\("([a-z0-9._]+)"\)')
CLOCK_JUMPS = (-86400, -3600, -60, 60, 3600, 86400)

# WORD is what happens at PLACE of NODE.
Fault = collections.namedtuple("Fault", "node place word")
# One that has happened; JOB is the number of the job whose process it was, None for a process of none.
Struck = collections.namedtuple("Struck", "node place word job")


def places():
    """The places that the sources name: {place: the words that it takes}."""
    found = {}
    for source in sorted([*SOURCE.glob("criu-glue/**/*.cpp"), *SOURCE.glob("spank/**/*.cpp")]):
        for kind, place in PLACE.findall(source.read_text()):
            assert place not in found, f"{place} is named twice"
            found[place] = ALWAYS if kind == "_IN_TIME" else ALWAYS + ERRORS
    return found


class Faults:
    """Every place with every word in random order, again and again, what was missed more often; between them cut cables and clocks that
    jump."""

    def __init__(self, random):
        self.random = random
        self.places = places()
        self.waiting = []
        self.missed = []  # (place, word) that no process has come by
        self.struck = []  # by us: cables and clocks

    def draw(self):
        node = self.random.choice(COMPUTE)
        what = self.random.random()
        if what < 0.04:
            return Fault(node, "network", "down")
        if what < 0.08:
            return Fault(node, "clock", str(self.random.choice(CLOCK_JUMPS)))
        if self.missed and self.random.random() < 0.5:  # every other one, since it may be missed again
            return Fault(node, *self.missed.pop(self.random.randrange(len(self.missed))))
        if not self.waiting:
            self.waiting = [(place, word) for place, words in self.places.items() for word in words]
            self.random.shuffle(self.waiting)
        return Fault(node, *self.waiting.pop())

    def begin(self):
        self.struck = []
        for node in COMPUTE:
            cluster.run(node, "sh", "-ec", f"rm -rf {DIRECTORY}; mkdir -m 777 {DIRECTORY}; >{DIRECTORY}/struck; chmod 666 {DIRECTORY}/struck")

    def make(self, fault):
        if fault.place == "network":
            cluster.set_network(fault.node, fault.word)
            self.struck.append(Struck(*fault, None))
        elif fault.place == "clock":
            self._write(fault.node, "clock", fault.word)
            self.struck.append(Struck(*fault, None))
        else:
            self._write(fault.node, fault.place, fault.word)

    def _write(self, node, name, text):
        cluster.run(node, "sh", "-ec", f"printf %s {text} >{DIRECTORY}/.new; chmod 666 {DIRECTORY}/.new; mv {DIRECTORY}/.new {DIRECTORY}/{name}")

    def mend_network(self, node):
        cluster.set_network(node, "up")

    def mend_clock(self, node):
        cluster.run(node, "rm", "-f", f"{DIRECTORY}/clock")

    def mend(self):
        """Nothing goes wrong from here on, and what hangs goes on."""
        for node in COMPUTE:
            self.mend_network(node)
            cluster.run(node, "sh", "-ec", f"cd {DIRECTORY}; touch released; for file in *; do case $file in struck|released) ;; *) rm -f $file ;; esac; done")

    def miss(self, drawn, struck):
        """Those of `drawn` that have not struck are drawn again."""
        left = [(fault.node, fault.place, fault.word) for fault in drawn if fault.place in self.places]
        for fault in struck:
            if fault[:3] in left:
                left.remove(fault[:3])
        self.missed += [(place, word) for _, place, word in left]

    def over(self):
        """All that has struck since begin()."""
        found = list(self.struck)
        for node in COMPUTE:
            for line in cluster.run(node, "cat", f"{DIRECTORY}/struck").splitlines():
                place, word, job = line.split()
                found.append(Struck(node, place, word, None if job == "-" else int(job)))
        return found
