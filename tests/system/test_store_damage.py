# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the store change behind our back: one flipped bit is put right, of what is damaged beyond that the newest sound generation
is used, and where there is none the job is held with the reason. Nothing is ever restored that is not as it was saved."""

import os
import shutil

from lib import *
from lib.store import directory_of, manifests, packs_of

SCRIPT = """#!/usr/bin/python3
import os, random, sys, time
def block(number):
    return random.Random(f"{number} {os.environ['WHO']}").randbytes(5 << 20)
def gate(name):
    while not os.path.exists(name):
        time.sleep(0.05)
old = block(1)
print("begun", flush=True)
gate("grow")
new = block(2)
print("grown", flush=True)
gate("go")
print("all is", "right" if (old, new) == (block(1), block(2)) else "wrong", flush=True)
sys.exit(7)
"""
PLACE = "/shared/scratch"
NEWEST, PREVIOUS = ["all is right"], ["grown", "all is right"]  # what a job has left to write
STRIPE = 300 << 10  # from one block of random bytes into the next, of the same stripe


def flip(path, *offsets):
    """One bit at each; negative: from the end."""
    with open(path, "r+b") as file:
        size = path.stat().st_size
        for offset in offsets:
            file.seek(offset % size)
            byte = file.read(1)[0]
            file.seek(offset % size)
            file.write(bytes([byte ^ 4]))


def break_sealed(path):
    """Both of its copies."""
    size = path.stat().st_size
    flip(path, size // 4, size // 4 * 3)


class Store:
    """A copy of the directory of a job in the store, to be damaged."""

    def __init__(self, job, base, original):
        self.base = base
        self.directory = cluster.shared(base) / original.relative_to(original.parents[1])
        self.directory.parent.mkdir(parents=True)
        shutil.copytree(original, self.directory, symlinks=True)
        self.job = job
        self.previous, self.newest = manifests(self.directory)
        before, now = (packs_of(manifest) for manifest in manifests(self.directory).values())
        self.old = max((self.directory / "packs" / name for name in before), key=lambda path: path.stat().st_size)
        (self.own,) = (self.directory / "packs" / name for name in now - before)

    def give_to_alice(self):
        cluster.run("n1", "chown", "--recursive", "--no-dereference", "alice:", self.base)
        cluster.run("n1", "chmod", "700", self.base)

    def take_generation(self, other):
        """The newest of another job's, with all that belongs to it, in the place of our own."""
        shutil.rmtree(self.newest)
        shutil.copytree(other.newest, self.newest)
        shutil.copytree(other.directory / "packs", self.directory / "packs", dirs_exist_ok=True)


def saved(user, name):
    return submit(SCRIPT, "--checkpoint-interval=none", prefix=[f"WHO={name}"], user=user, name=name)


class Damage(SystemTest):
    @classmethod
    def setUpClass(cls):
        """Three jobs with two generations each, of two incarnations, one on each node."""
        set_policy("n1", "n2", "ctl", limits={"min_interval": "1s", "directories": f"[{PLACE}]"})
        cls.addClassCleanup(clear_policy, "n1", "n2", "ctl")
        cls.addClassCleanup(cluster.run, "n1", "sh", "-c", f"rm -rf {PLACE}/damaged-*")
        cls.job, cls.other, cls.bobs = jobs = saved("alice", "job"), saved("alice", "other"), saved("bob", "bobs")
        for job in jobs:
            job.wait_output("begun")
        for job in jobs:
            job.as_user("scontrol", "requeue", job.id)
        for job in jobs:
            job.wait_info("is requeued", lambda info: info["JobState"] in ("PENDING", "REQUEUED"))
            job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        for job in jobs:
            job.wait_output("restored generation 1")
            job.path("grow").touch()
            job.wait_output("grown")
            cluster.run("n2", "sckpt", "create", job.id, user=job.user)
            job.as_user("scancel", job.id)
        for job in jobs:
            end(job)
            job.path("go").touch()
        cls.stores = 0

    def store(self, job=None):
        job = job or self.job
        Damage.stores += 1
        return Store(job, f"{PLACE}/damaged-{self.stores}", directory_of(job))

    def start(self, store, index):
        """A job that goes on from it."""
        store.give_to_alice()
        return submit(SCRIPT, f"--checkpoint-restore={store.job.id}", f"--checkpoint-dir={store.base}", "--checkpoint-interval=none",
                      prefix=["WHO=nobody"], node=("n1", "n2")[index % 2], name=f"from-{store.base.rpartition('-')[2]}")

    def assert_outcome(self, job, expected):
        """EXPECTED: what it writes, or None when it is to be held."""
        def over(info):
            return info["JobState"] in ("COMPLETED", "FAILED", "CANCELLED") or (info["JobState"] == "PENDING" and info["Priority"] == "0")

        info = job.wait_info("has ended or is held", lambda info: over(info) and info, timeout=120)
        self.assertEqual(application_lines(job.output()), expected or [])
        if expected:
            self.assert_ended(info, "FAILED", "7:0")
        else:
            self.assertEqual(info["JobState"], "PENDING")
            self.assertRegex(complaints(job.output())[-1], r"\[CKPT-50[25]\]$")
            job.as_user("scancel", job.id)

    def run_all(self, variants):
        """VARIANTS: (what, store, what a job from it writes)."""
        jobs = [(what, self.start(store, i), expected) for i, (what, store, expected) in enumerate(variants)]
        for what, job, expected in jobs:
            with self.subTest(what):
                self.assert_outcome(job, expected)
                if expected == PREVIOUS:
                    self.assertRegex(product_lines(job.output())[0], r"^generation 2 of incarnation 1 is skipped: .*\[CKPT-603\]$")
        assert_clean(*(job for _, job, _ in jobs))

    def test_one_bit(self):
        """In each file in turn."""
        store = self.store()
        files = sorted(path.relative_to(store.directory) for path in store.directory.rglob("*") if path.is_file())
        self.assertEqual({path.name for path in files if "packs" not in path.parts}, {"adopted", "manifest", "index-4294967291-0"})
        variants = [("nothing", store, NEWEST)]
        for path in files:
            size = (store.directory / path).stat().st_size
            sealed = path.name in ("adopted", "manifest")
            for where in [size // 4] if sealed else [0, size // 2, size - 1]:
                store = self.store()
                flip(store.directory / path, where)
                variants.append((f"{path} at {where}", store, NEWEST))
        self.run_all(variants)

    def test_beyond_repair(self):
        """The generation before is used as long as that is sound."""
        variants = []

        def variant(what, expected, damage):
            store = self.store()
            damage(store)
            variants.append((what, store, expected))

        other, bobs = self.store(self.other), self.store(self.bobs)
        variant("two blocks of a stripe", PREVIOUS, lambda s: flip(s.own, 1000, 1000 + STRIPE))
        variant("a block and the parity", NEWEST, lambda s: flip(s.own, 1000, -1000))
        variant("half of a pack", PREVIOUS, lambda s: os.truncate(s.own, s.own.stat().st_size // 2))
        variant("no pack", PREVIOUS, lambda s: s.own.unlink())
        variant("an empty pack", PREVIOUS, lambda s: os.truncate(s.own, 0))
        variant("the index", PREVIOUS, lambda s: flip(s.newest / "index-4294967291-0", 100, -100))
        variant("the index of the generation before", PREVIOUS, lambda s: shutil.copy(s.previous / "index-4294967291-0", s.newest))
        variant("both halves of the manifest", PREVIOUS, lambda s: break_sealed(s.newest / "manifest"))
        variant("half of the manifest", NEWEST, lambda s: os.truncate(s.newest / "manifest", (s.newest / "manifest").stat().st_size // 2))
        variant("no manifest", PREVIOUS, lambda s: (s.newest / "manifest").unlink())
        variant("a link for a manifest", PREVIOUS, lambda s: self.make_link(s.newest / "manifest"))
        variant("another job's pack", PREVIOUS, lambda s: shutil.copy(other.own, s.own))
        variant("another job's generation", PREVIOUS, lambda s: s.take_generation(other))
        variant("another user's generation", PREVIOUS, lambda s: s.take_generation(bobs))
        variant("an older generation as a newer one", NEWEST, lambda s: shutil.copytree(s.previous, s.newest.with_name("gen-000009")))
        variant("the record that says what went before", NEWEST, lambda s: break_sealed(s.newest.parent / "adopted"))
        variant("that record and the newest", None, lambda s: (break_sealed(s.newest.parent / "adopted"), shutil.rmtree(s.newest)))
        variant("a pack of both", None, lambda s: flip(s.old, 1000, 1000 + STRIPE))
        variant("no packs at all", None, lambda s: shutil.rmtree(s.directory / "packs"))
        self.run_all(variants)

    def make_link(self, path):
        """To what it was."""
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")

    def test_another_users_job(self):
        """bob's files in alice's directory, under bob's number: they are for nobody but bob."""
        self.run_all([("another user's job", self.store(self.bobs), None)])


main()
