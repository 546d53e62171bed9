#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ckptd of this node has and keeps at this moment, as JSON. Run as root. "workers": processes that it has started and that have not ended,
or that it has not waited for."""

import json
import os
import stat
import subprocess
from pathlib import Path

RUN, LOCAL = "/run/ckptd", "/var/spool/slurm-checkpoint/local"
COPIES = f"{LOCAL}/copies"


def entries(top):
    return sorted(os.path.join(directory, name) for directory, dirs, files in os.walk(top) for name in (*dirs, *files))


def size(top):
    return sum(size_of(path) for path in entries(top))


def size_of(path):
    try:
        status = os.lstat(path)
    except OSError:  # it has gone meanwhile
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def main():
    pid = int(subprocess.run(["pgrep", "--exact", "--oldest", "ckptd"], capture_output=True, text=True, check=True).stdout)
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    fds = {}
    for fd in (proc / "fd").iterdir():
        try:
            kind = os.readlink(fd).split(":")[0]
        except OSError:
            continue
        fds[kind] = fds.get(kind, 0) + 1
    local = [path for path in entries(LOCAL) if not path.startswith(COPIES)]
    workers = sum(len((task / "children").read_text().split()) for task in (proc / "task").iterdir())
    print(json.dumps({"pid": pid, "fds": sum(fds.values()), "kinds of fds": fds, "VmRSS": int(status["VmRSS"].split()[0]),
                      "VmHWM": int(status["VmHWM"].split()[0]), "threads": int(status["Threads"]), "workers": workers,
                      "run": entries(RUN), "local": local, "local bytes": size(LOCAL), "copies": size(COPIES)}))


main()
