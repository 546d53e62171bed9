# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""The project on every node, as an admin would install it. What is done is in the lists; how, is below them."""

import time
from pathlib import Path

import linux
from paths import SOURCE
from report import ClusterError, step

# With the sources at /src and the build directory at $BUILD, the path that it was configured under.
EXAMPLES = "/usr/share/slurm-checkpoint/examples"
ON_EVERY_NODE = [
    "cmake --install $BUILD --prefix /usr >/var/log/checkpoint-install.log",
    f"install -m 644 {EXAMPLES}/checkpoint.yaml /etc/slurm/checkpoint.yaml",
    "sed -i 's|^  base: .*|  base: /shared/checkpoints|' /etc/slurm/checkpoint.yaml",
    "install -d -m 711 -o root -g root /shared/checkpoints",  # users pass through to their own directories
    # What systemd-sysusers makes of the installed sysusers.d file.
    "getent passwd slurm-checkpoint >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin slurm-checkpoint",
    f"install -m 644 {EXAMPLES}/plugstack-checkpoint.conf /etc/slurm/plugstack.conf.d/checkpoint.conf",
]
# Once for the cluster, on ctl, unless the file is there already; then copied to all others.
KEY = "/etc/slurm/checkpoint.key"
MAKE_KEY = "sckpt key create"
# Slurm reads plugstack.conf when slurmd starts; the daemon may be an older one.
RESTARTED = ("ckptd", "slurmd")


def install(cluster, build):
    build = build.resolve()
    if not (build / "cmake_install.cmake").exists():
        raise ClusterError(f"{build} is not a build directory", "no cmake_install.cmake in it",
                           "cluster run-in-rootfs -- sh -c 'cmake --preset release && cmake --build --preset release'")
    nodes = cluster.nodes()
    for node in nodes:
        for command in ON_EVERY_NODE:
            _run(node, command, build)
    step(f"installed on {' '.join(node.name for node in nodes)}")
    _distribute_key(nodes, build)
    start = time.time()
    for node in nodes:
        for service in node.services():
            if service.name in RESTARTED:
                node.stop(service)
                node.start(service)
                node.wait_ready(service)
    cluster.wait_registered(nodes[1:], start)


def _distribute_key(nodes, build):
    ctl, *others = nodes
    if not ctl.path(KEY).exists():
        _run(ctl, MAKE_KEY, build)
        step("made the cluster's key")
    for node in others:
        copy = node.path(KEY)
        copy.touch(mode=0o600)
        copy.write_bytes(ctl.path(KEY).read_bytes())


def _run(node, command, build):
    mounts = [(SOURCE, "/src"), (build.parent, "/build")]
    status = node.run(["env", f"BUILD=/build/{build.name}", "sh", "-c", command], prepare=_mounter(mounts))
    if status:
        raise ClusterError(f"install failed on {node.name}", f"status {status} from: {command}")


def _mounter(mounts):
    """A function for a process that has entered a node: give it, and nobody else there, host directories."""
    trees = [(linux.open_tree(source), target) for source, target in mounts]

    def mount():
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        for tree, target in trees:
            Path(target).mkdir(exist_ok=True)
            linux.move_mount(tree, target)
    return mount
