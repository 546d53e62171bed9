# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""What the testbed needs from the machine it runs on."""

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager

from paths import LOCKS
from report import ClusterError, step

# program that shows it is installed -> Debian package
PROGRAMS = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "nsenter": "util-linux"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def require_root():
    if os.geteuid() != 0:
        raise ClusterError("not root", "namespaces, mounts and cgroups need it", "run it with sudo")


def ensure_host_packages():
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if not os.path.exists(KEYRING):
        missing.append("debian-archive-keyring")
    if not missing:
        return
    step(f"installing {' '.join(missing)} on this machine")
    if not shutil.which("apt-get"):
        raise ClusterError(f"missing here: {' '.join(missing)}", "this machine has no apt to install them with")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        subprocess.run(apt + command, env=environment, check=True, stdout=subprocess.DEVNULL)


def debian_mirror():
    """The mirror this machine's own apt uses. Asked of apt, which knows every spelling of its sources."""
    fields = "$(REPO_URI)|$(ORIGIN)|$(CODENAME)|$(COMPONENT)"
    for attempt in range(2):
        output = subprocess.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], check=True,
                                capture_output=True, text=True).stdout
        for uri, origin, codename, component in (line.split("|") for line in output.splitlines()):
            if origin == "Debian" and component == "main" and "-" not in codename:
                return uri
        if attempt == 0:  # a fresh installation has no package lists, and then apt does not know whose archive it is
            subprocess.run(["apt-get", "-qq", "update"], check=True)
    raise ClusterError("no Debian mirror", "apt's sources on this machine name none", "add one to /etc/apt/sources.list.d")


@contextmanager
def locked(name):
    """Hold the lock NAME. It is released when the last process that inherited it has gone, so also the child that an
    interrupted command has left in the middle of something. The file stays: removing it would need a lock."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with open(LOCKS / name, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step(f"waiting for another command ({file.name})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
