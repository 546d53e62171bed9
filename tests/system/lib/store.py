# SPDX-License-Identifier: GPL-2.0-or-later
"""A job's directory in the store, file by file (docs/format.md), as the host sees it; and what ckptd keeps of it on a node."""

import json

from lib.cluster import cluster
from lib.product import LOCAL, STORE


def directory_of(job, base=STORE):
    found = list(cluster.shared(base).glob(f"*/*/{job.id}-*"))
    if len(found) != 1:
        raise AssertionError(f"{job} has {len(found)} directories in {base}: {found}")
    return found[0]


def seen_by_nodes(path):
    """A path below /shared as the nodes see it."""
    return f"/shared/{path.relative_to(cluster.shared('/shared'))}"


def manifests(directory):
    """Every generation's manifest, {directory of the generation: its content}; not whether it verifies."""
    return {path.parent: json.loads(path.read_text().partition("\n")[0]) for path in sorted(directory.glob("inc-*/gen-*/manifest"))}


def packs_of(manifest):
    return {f"inc-{pack['incarnation']}-{pack['id']}" for part in manifest["parts"] for pack in part["images"]["packs"]}


def packs(directory):
    return {path.name for path in directory.glob("packs/*")}


def untidy(directory):
    """What should not be there, or is missing, while no commit is under way."""
    named = set().union(*(packs_of(manifest) for manifest in manifests(directory).values()))
    wrong = [str(path.relative_to(directory)) for path in directory.rglob(".*")]
    wrong += [f"{name}, which no manifest names" for name in packs(directory) - named]
    return wrong + [f"{name} is missing" for name in named - packs(directory)]


def local_images(node, job):
    """Images of a job in ckptd's own directory on a node, its copies included; nothing of a job that just runs, but one copy."""
    return cluster.run(node, "find", LOCAL, "-mindepth", "2", "-maxdepth", "2", "-path", f"*/{job.id}-*", "!", "-name", "tails").split()
