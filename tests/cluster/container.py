# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""A machine made of namespaces: `start` boots one, `enter` runs a command in it.

Pid 1 does nothing: it ignores SIGCHLD, and then the kernel itself reaps the orphans that pid 1 inherits. Everything else enters
later from outside, so that no service inherits that disposition. When pid 1 is killed, the kernel kills all the others and drops
the namespaces with their mounts and network devices: that is the power loss, and the clean-up."""

import os
import signal
import socket
import stat
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import linux
from cgroups import V1_CONTROLLERS, Cgroup
from linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC
from report import ClusterError

OWN_NAMESPACES = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET | linux.CLONE_NEWCGROUP
INIT_SCOPE = "init.scope"
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
           "net/tun": (10, 200), "fuse": (10, 229)}
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# Signals whose disposition Python changes, or this program.
CHANGED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                   signal.SIGUSR2)


@dataclass
class Machine:
    hostname: str
    layers: list  # read-only directories, the uppermost first
    mount_point: Path  # any empty directory; only this machine sees the mount
    disk: Path | None = None  # what it writes; None: a tmpfs that dies with it
    binds: list = field(default_factory=list)  # (source, target, read-only?)
    cgroup: Cgroup | None = None  # the root of its cgroup tree; pid 1 is in the leaf init.scope


def start(machine, init, stdin=None):
    """Boot MACHINE with INIT as pid 1; its pid as seen here. Returns when INIT has been executed."""
    if machine.cgroup:
        machine.cgroup.create().child(INIT_SCOPE).create()
    report_r, report_w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(report_r)
        _run_and_exit(lambda: _fork_pid_1(machine, init, stdin, report_w), report_w)
    os.close(report_w)
    with open(report_r) as report:
        pid, _, error = report.read().partition("\n")
    os.waitpid(child, 0)
    if error or not pid:
        raise ClusterError(f"cannot start {machine.hostname}", error or "it died early")
    if machine.cgroup:
        machine.cgroup.delegate_controllers()
    return int(pid)


def _run_and_exit(function, report_w):
    """For a forked child: never return into the parent's code."""
    try:
        function()
    except BaseException as error:
        os.write(report_w, f"\n{type(error).__name__}: {error}".encode())
    os._exit(1)


def _fork_pid_1(machine, init, stdin, report_w):
    if machine.cgroup:
        machine.cgroup.join()  # the root of a cgroup namespace is where its creator is
    linux.unshare(OWN_NAMESPACES | linux.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        _run_and_exit(lambda: _become_pid_1(machine, init, stdin, report_w), report_w)
    os.write(report_w, str(pid).encode())
    os._exit(0)  # slurmd refuses a cgroup that holds a process it cannot see, so nobody waits outside


def _become_pid_1(machine, init, stdin, report_w):
    if machine.cgroup:
        machine.cgroup.child(INIT_SCOPE).join()
    os.setsid()
    socket.sethostname(machine.hostname)
    linux.loopback_up()
    _make_root(machine)
    null = os.open("/dev/null", os.O_RDWR)
    for fd, source in enumerate((null if stdin is None else stdin, null, null)):
        os.dup2(source, fd)
    # Keep nothing that was open outside: CRIU cannot dump a descriptor whose mount the machine does not have.
    linux.close_fds_above(2, keep=report_w)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.execv(init[0], init)  # closes report_w, which tells `start`


def _make_root(machine):
    linux.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    root = machine.mount_point
    if machine.disk:
        writable = machine.disk
    else:
        linux.mount("tmpfs", root, "tmpfs")
        writable, root = root, root / "root"
    for directory in (writable / "upper", writable / "work", root):
        directory.mkdir(exist_ok=True)
    layers = ":".join(str(layer) for layer in machine.layers)
    linux.mount("overlay", root, "overlay", 0, f"lowerdir={layers},upperdir={writable}/upper,workdir={writable}/work")
    os.chdir(root)
    _mount_kernel_file_systems(machine.cgroup)
    for source, target, readonly in machine.binds:
        Path("." + target).mkdir(parents=True, exist_ok=True)
        linux.bind(source, "." + target, readonly)
    # A real change of the root, not chroot: CRIU needs a /proc/self/mountinfo that accounts for every mount it meets.
    linux.pivot_root_here()


def _mount_kernel_file_systems(cgroup):
    private = MS_NOSUID | MS_NODEV
    linux.mount("proc", "proc", "proc", private | MS_NOEXEC)
    linux.mount("sysfs", "sys", "sysfs", private | MS_NOEXEC | MS_RDONLY)
    if cgroup and cgroup.v1:
        linux.mount("tmpfs", "sys/fs/cgroup", "tmpfs", private, "mode=755")
        for controller in V1_CONTROLLERS:
            os.mkdir("sys/fs/cgroup/" + controller)
            linux.mount("cgroup", "sys/fs/cgroup/" + controller, "cgroup", private | MS_NOEXEC, controller)
    elif cgroup:
        linux.mount("cgroup2", "sys/fs/cgroup", "cgroup2", private | MS_NOEXEC)
    linux.mount("tmpfs", "run", "tmpfs", private, "mode=755")
    linux.mount("tmpfs", "tmp", "tmpfs", private, "mode=1777")
    linux.mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755")
    for directory, mode in (("pts", 0o755), ("shm", 0o1777), ("net", 0o755)):
        os.mkdir("dev/" + directory, mode)
    linux.mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    linux.mount("tmpfs", "dev/shm", "tmpfs", private, "mode=1777")
    os.umask(0)
    for name, (major, minor) in DEVICES.items():
        os.mknod("dev/" + name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    os.umask(0o022)
    for name, target in LINKS.items():
        os.symlink(target, "dev/" + name)


def pid_1(cgroup):
    """The pid 1, as seen here, of the machine that was started with CGROUP; None if it is not running."""
    return next(iter(cgroup.child(INIT_SCOPE).pids()), None)


def has_mount(pid_1, mount_point):
    """Whether something is mounted there in the machine with PID_1."""
    return any(line.split()[4] == mount_point for line in Path(f"/proc/{pid_1}/mountinfo").read_text().splitlines())


def enter(pid_1, command, cgroup=None):
    """Fork a process of the machine with PID_1 that calls COMMAND, which should end in `execute`; its pid as seen here."""
    pidfd = os.pidfd_open(pid_1)
    linux.setns(pidfd, linux.CLONE_NEWPID)  # of our next child; we ourselves stay where we are
    try:
        child = os.fork()
    finally:
        with open("/proc/self/ns/pid") as own:
            linux.setns(own.fileno(), linux.CLONE_NEWPID)
    if child:
        os.close(pidfd)
        return child
    try:
        if cgroup:
            cgroup.create().join()
        linux.setns(pidfd, OWN_NAMESPACES)
        os.setsid()
        command()
    except (OSError, ClusterError) as error:
        print(f"cluster: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(126)


def execute(argv, user="root", options=()):
    """Become ARGV with the environment, groups and directory of USER's login and no descriptor but 0, 1 and 2."""
    os.chdir(_home(user))
    os.umask(0o022)
    for number in CHANGED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    linux.close_fds_above(2)
    login = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", *options]
    os.execv("/usr/bin/setpriv", [*login, "--", *argv])


def _home(user):
    for line in Path("/etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return fields[5] if os.path.isdir(fields[5]) else "/"
    raise ClusterError(f"no user {user} on this node")
