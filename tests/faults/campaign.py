# SPDX-License-Identifier: GPL-2.0-or-later
"""campaign.py: jobs of all kinds on a test build that goes wrong, in places, in ways and at moments that a seed decides, until
CKPT_FAULTS faults have struck. After each round every job must have ended as an undisturbed one does, and nothing may be left of it.
CKPT_SEED: which faults; CKPT_EACH: how often each place must have been struck at least."""

import collections
import os
import random
import sys
from pathlib import Path

SEED = int(os.environ.get("CKPT_SEED", "1"))
AT_LEAST = int(os.environ.get("CKPT_FAULTS", "50"))
EACH = int(os.environ.get("CKPT_EACH", "0"))
BROKEN_MAX = 10  # what comes after so many is no news
os.environ.setdefault("CKPT_LIMIT_S", str(600 + 30 * AT_LEAST))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from faults import Faults  # noqa: E402
from lib import SystemTest, main  # noqa: E402
from rounds import KINDS, Round  # noqa: E402


class Campaign(SystemTest):
    def test_faults(self):
        faults = Faults(random.Random(SEED))
        struck, rounds, broken, jobs = collections.Counter(), 0, [], 0
        while (sum(struck.values()) < AT_LEAST or self.rare(faults, struck)) and len(broken) < BROKEN_MAX:
            rounds += 1
            this = Round(random.Random(f"{SEED}-{rounds}"), faults)
            this.run()
            struck.update(fault.place for fault in this.struck)
            broken += this.broken
            jobs += len(this.jobs) + len(this.again)
            print(f"round {rounds}: " + ", ".join(f"{fault.node} {fault.place} {fault.word}" for fault in this.struck), flush=True)
            for what in this.broken:
                print(f"  BROKEN: {what}; ended by {dict(this.ends)}", flush=True)
        for place in sorted([*faults.places, "clock", "network"]):
            print(f"{place:22} {struck[place]:5}")
        print(f"seed {SEED}: {sum(struck.values())} faults at {len(struck)} places in {rounds} rounds of {len(KINDS)} jobs, "
              f"{jobs} jobs with those that went on from what was kept; invariants broken: {len(broken)}", flush=True)
        self.assertEqual(broken, [])

    def rare(self, faults, struck):
        return [place for place in faults.places if struck[place] < EACH]


main()
