#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""leftovers.py JOBID|CGROUP...: everything on this node that belongs to a job, or to a checkpoint of one, one line each. Run as root."""

import os
import sys
from pathlib import Path

BASELINE = Path("/var/tmp/slurm-checkpoint-tests.mounts")  # survives a power loss
LOCAL = Path("/var/spool/slurm-checkpoint/local")
OURS = ("criu", "ckpt-")


def read(path):
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def processes(ids):
    for directory in Path("/proc").glob("[0-9]*"):
        if int(directory.name) == os.getpid():
            continue
        environment = read(directory / "environ").split("\0")
        name = read(directory / "comm").strip()
        words = read(directory / "cmdline").replace("\0", " ").strip()
        of_job = any(f"SLURM_JOB_ID={job}" in environment for job in ids) or any(f"/{job}/" in read(directory / "cgroup") for job in ids)
        if of_job or name.startswith(OURS):
            yield f"process {directory.name} {name}: {words}"


def cgroups(ids):
    for directory, children, _ in os.walk("/sys/fs/cgroup"):
        for child in children:
            if child in ids:
                yield f"cgroup {directory}/{child}"


def mounts():
    """Those that were not there before the first test."""
    known = read(BASELINE).splitlines()
    for line in mount_points("/proc/1/mountinfo"):
        if line not in known:
            yield f"mount {line}"


def mount_points(mountinfo):
    return [line.split()[4] for line in read(Path(mountinfo)).splitlines()]


def images(ids):
    """Of "tails" there may be some: what a restore has cut from an output file is kept."""
    for job in LOCAL.glob("*"):
        if job.name.split("-")[0] in ids:
            yield from (f"image directory {path}" for path in job.iterdir() if path.name != "tails")
    yield from (f"images that are being removed: {path}" for path in LOCAL.glob("trash/*"))


def main(ids):
    if ids == ["--baseline"]:
        BASELINE.write_text("\n".join(mount_points("/proc/1/mountinfo")) + "\n")
        return
    for line in [*processes(ids), *cgroups(ids), *mounts(), *images(ids)]:
        print(f"{os.uname().nodename}: {line}")


main(sys.argv[1:])
