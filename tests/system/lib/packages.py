# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages of the build under test, at /shared/packages of the cluster."""

import os
import shutil
from pathlib import Path

from lib.cluster import cluster

SOURCE = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ["CKPT_BUILD"]).resolve()
PACKAGES = "/shared/packages"


def in_rootfs(*argv):
    """ARGV where the product is built, with the build at /build; its output."""
    done = cluster.call("run-in-rootfs", "--source", str(SOURCE), "--build-root", str(BUILD.parent), "--", *argv, capture_output=True)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def make_packages():
    """From what has been built; their names."""
    made, target = BUILD.parent / "packages", cluster.shared(PACKAGES)
    for directory in (made, target):
        shutil.rmtree(directory, ignore_errors=True)
    names = in_rootfs("env", "DPKG_DEB_COMPRESSOR_LEVEL=1", "packaging/build-deb", "--built", f"/build/{BUILD.name}", "/build/packages")
    shutil.copytree(made, target)
    return [f"{PACKAGES}/{name}" for name in names.split()]


def with_version(package, version):
    """The same content as a package of that version, with other programs as far as CRIU can see."""
    newer = f"{package.removesuffix('.deb')}.newer.deb"
    script = """
        dpkg-deb --raw-extract "$1" /tmp/newer
        old=$(dpkg-deb --field "$1" Version)
        find /tmp/newer/usr/libexec /tmp/newer/usr/sbin -type f -perm /1 | while read -r program; do echo >>"$program"; done
        sed -i "s/^Version: .*/Version: $3/; s/(= $old)/(= $3)/" /tmp/newer/DEBIAN/control
        dpkg-deb --root-owner-group -Zgzip --build /tmp/newer "$2" >/dev/null
        rm -r /tmp/newer"""
    cluster.run("ctl", "sh", "-ec", script, "sh", package, newer, version)
    return newer
