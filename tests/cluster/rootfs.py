# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""The root file system of every node: two read-only directories for overlayfs, made once and cached.

The lower one is Debian with the packages of packages.txt, the upper one what testbed-layer.sh adds. Each is named by a hash of
what it is made from, built under another name and renamed when complete, so that a cached one is always whole."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import container
import host
import session
from container import Machine
from paths import CACHE, CCACHE, HERE, SOURCE
from report import ClusterError, step

# `tests/run --suite forky`: all of it from the release after the one that is supported today.
RELEASE = os.environ.get("CKPT_SUITE", "trixie")
NEXT_RELEASE = "forky"
APPLICATIONS = os.environ.get("CKPT_APPLICATIONS") == "yes"  # `tests/run full`
BUILD_ENVIRONMENT = ["CKPT_BUILD_ROOT=/build", "CCACHE_DIR=/ccache", "CMAKE_CXX_COMPILER_LAUNCHER=ccache",
                     # What does not differ between two presets is compiled once.
                     "CCACHE_BASEDIR=/build", "CCACHE_NOHASHDIR=yes"]
LAYER_INPUTS = [HERE / "testbed-layer.sh", *sorted((HERE / "shims").iterdir()), *sorted((HERE / "rootsquash").iterdir())]


def layers():
    """The directories for overlayfs' lowerdir, the uppermost first; made if they are not cached."""
    debian = _cached("debian" if RELEASE != NEXT_RELEASE else f"debian-{RELEASE}", [path.read_bytes() for path in _package_lists()], _build_debian)
    testbed = _cached("testbed", [debian.name.encode(), *(path.read_bytes() for path in LAYER_INPUTS)],
                      lambda directory: _build_testbed(directory, debian))
    return [testbed / "upper", debian]


def _cached(name, inputs, build):
    key = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:12]
    directory = CACHE / f"{name}-{key}"
    if directory.is_dir():
        return directory
    with host.locked("rootfs"):
        if not directory.is_dir():  # else somebody made it while we waited
            partial = CACHE / f"{name}-{key}.partial"
            _remove_partial()
            try:
                build(partial)
                partial.rename(directory)
            finally:
                _remove_partial()
    return directory


def remove_partial():
    """What a killed build has left."""
    if any(CACHE.glob("*.partial*")):
        with host.locked("rootfs"):
            _remove_partial()


def _remove_partial():
    for directory in CACHE.glob("*.partial*"):
        while directory.exists():  # a process of a build that has just been killed may still create files
            shutil.rmtree(directory, ignore_errors=True)


def _package_lists():
    return [HERE / "packages.txt", *([HERE / "packages-full.txt"] if APPLICATIONS else [])]


def _packages():
    lines = (line.partition("#")[0].strip() for path in _package_lists() for line in path.read_text().splitlines())
    names = [line for line in lines if line]
    if RELEASE == NEXT_RELEASE:
        return [name.partition("/")[0] for name in names], []
    newer = [name.partition("/")[0] for name in names if name.endswith("/" + NEXT_RELEASE)]
    return [name for name in names if "/" not in name], newer


def _build_debian(directory):
    host.ensure_host_packages()
    mirror = host.debian_mirror()
    packages, newer = _packages()
    step(f"making the root file system of Debian {RELEASE} (once, about two minutes)")
    chroot = 'chroot "$1" '
    install = "DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends"
    hooks = [] if not newer else [
        f'echo "deb {mirror} {NEXT_RELEASE} main" > "$1/etc/apt/sources.list.d/{NEXT_RELEASE}.list"',
        # Priority 100: taken only for a package named with -t, and for what that package cannot do without.
        f'printf "Package: *\\nPin: release n={NEXT_RELEASE}\\nPin-Priority: 100\\n" > "$1/etc/apt/preferences.d/{NEXT_RELEASE}"',
        chroot + "apt-get -qq update",
        chroot + f"sh -c '{install} -t {NEXT_RELEASE} {' '.join(newer)} >/dev/null'",
    ]
    log = CACHE / "rootfs.log"
    scratch = directory.with_suffix(".partial-tmp")
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o1777)  # apt works in it as another user
    # Namespaces of its own, so that nothing of it outlives this process, however that ends.
    command = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
               "mmdebstrap", "--mode=root", "--quiet", "--variant=apt", f"--keyring={host.KEYRING}",
               "--aptopt=Acquire::Check-Valid-Until false", "--aptopt=Acquire::Retries 3", f"--include={','.join(packages)}",
               *(f"--customize-hook={hook}" for hook in hooks), RELEASE, str(directory), mirror]
    with open(log, "w") as output:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                env={**os.environ, "TMPDIR": str(scratch)})
    if result.returncode:
        raise ClusterError("cannot make the root file system", _last_lines(log), f"all of it: {log}")


def _last_lines(path, count=5):
    return "\n    ".join(["", *path.read_text(errors="replace").splitlines()[-count:]])


def _build_testbed(directory, debian):
    step("compiling the shims and the file server, adding users")
    directory.mkdir(parents=True)
    machine = Machine("build", [debian], directory / "root", disk=directory, binds=[(SOURCE, "/src", True)])
    (directory / "root").mkdir()
    status = _run(machine, ["/src/tests/cluster/testbed-layer.sh"])
    if status:
        raise ClusterError("cannot make the testbed's layer", f"testbed-layer.sh ended with status {status}")
    shutil.rmtree(directory / "work")


def run_in_rootfs(argv, source, build_root):
    """ARGV in a throw-away machine with SOURCE at /src (read-only) and BUILD_ROOT at /build; its exit status."""
    mount_point = CACHE / "mnt"
    for directory in (build_root, CCACHE, mount_point):
        directory.mkdir(parents=True, exist_ok=True)
    binds = [(source, "/src", True), (build_root, "/build", False), (CCACHE, "/ccache", False)]
    machine = Machine("build", layers(), mount_point, binds=binds)
    return _run(machine, ["env", "--chdir=/src", *BUILD_ENVIRONMENT, *argv])


def _run(machine, argv):
    """Its pid 1 reads a pipe from us: when we end, however that happens, it ends and takes the machine along."""
    alive_r, alive_w = os.pipe()
    pid_1 = container.start(machine, ["/usr/bin/cat"], stdin=alive_r)
    os.close(alive_r)
    status = session.run(pid_1, argv)
    os.close(alive_w)
    return status
