# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""The few Linux calls that Python 3.11 does not offer: namespaces and mounts. Same names and arguments as in section 2 of
the manual; each raises OSError."""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

# asm-generic numbers, the same on every architecture that came after them; pivot_root has no libc wrapper and is older.
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT = 428, 429
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203}
_AT_FDCWD = -100
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 0x1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(fd, flags):
    """With a pidfd, FLAGS names any number of namespaces to join at once (Linux 5.8)."""
    _check(_libc.setns(fd, flags), "setns")


def mount(source, target, fstype="none", flags=0, options=""):
    _check(_libc.mount(str(source).encode(), str(target).encode(), fstype.encode(), ctypes.c_ulong(flags), options.encode()),
           f"mount {fstype if flags & MS_BIND == 0 else source} on {target}")


def bind(source, target, readonly=False):
    mount(source, target, flags=MS_BIND)
    if readonly:  # the kernel ignores MS_RDONLY on the first call for a bind mount
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def umount_detach(target):
    _check(_libc.umount2(str(target).encode(), MNT_DETACH), f"umount {target}")


def pivot_root_here():
    """Make the current directory, a mount point, the root. With new and old root at the same place the old one is stacked on
    top and can be detached at once: no directory for it is needed in the new root (pivot_root(2), NOTES)."""
    _check(_libc.syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    umount_detach(".")
    os.chdir("/")


def open_tree(path):
    """A detached copy of the mount at PATH, to be attached elsewhere, also in another mount namespace."""
    return _check(_libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, str(path).encode(), _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC),
                  f"open_tree {path}")


def move_mount(fd, target):
    _check(_libc.syscall(_SYS_MOVE_MOUNT, fd, b"", _AT_FDCWD, str(target).encode(), _MOVE_MOUNT_F_EMPTY_PATH),
           f"move_mount {target}")


def name_of(pid):
    """Of its program; "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def close_fds_above(last, keep=None):
    keep = last if keep is None else keep
    os.closerange(last + 1, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))


def loopback_up():
    """SIOCSIFFLAGS on lo of the calling process's network namespace."""
    SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
