# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""A command in a machine as if it were run here: same standard streams, signals passed on, its exit status returned."""

import array
import fcntl
import os
import select
import signal
import socket
import termios
import tty
from contextlib import contextmanager

import container

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
# The kernel kills the command when its caller dies, so that a test that is killed leaves nothing running.
OPTIONS = ("--pdeathsig=KILL",)


def run(pid_1, argv, user="root", cgroup=None, prepare=None):
    """Exit status as a shell gives it: 128 + n for signal n. PREPARE is called in the machine, as root, before the command."""
    def command():
        if prepare:
            prepare()
        container.execute(argv, user, OPTIONS)

    if os.isatty(0) and os.isatty(1):
        return _run_with_terminal(pid_1, command, cgroup)
    with _signals_passed_on(lambda: container.enter(pid_1, command, cgroup)) as child:
        return _status(child)


def start(pid_1, argv, log, cgroup):
    """A service: ARGV in the background, its output appended to LOG, orphaned at once so that the machine's pid 1 adopts it."""
    def command():
        if os.fork():
            os._exit(0)
        _into_log(argv, log)
    _status(container.enter(pid_1, command, cgroup))


def call(pid_1, argv, log):
    """ARGV to its end, its output appended to LOG; its exit status."""
    return _status(container.enter(pid_1, lambda: _into_log(argv, log)))


def _into_log(argv, log):
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    _standard_streams(os.open("/dev/null", os.O_RDONLY), output, output)
    container.execute(argv)


def capture(pid_1, argv):
    """Standard output of ARGV, as text; empty if it fails."""
    read_end, write_end = os.pipe()

    def command():
        null = os.open("/dev/null", os.O_RDWR)
        _standard_streams(null, write_end, null)
        container.execute(argv)

    child = container.enter(pid_1, command)
    os.close(write_end)
    with open(read_end) as output:
        text = output.read()
    return text if _status(child) == 0 else ""


def _standard_streams(*sources):
    for fd, source in enumerate(sources):
        os.dup2(source, fd)


def _status(child):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - code if code < 0 else code


@contextmanager
def _signals_passed_on(fork):
    """FORK a child; signals are held back until there is somebody to pass them on to."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    child = fork()
    former = {number: signal.signal(number, lambda number, _: os.kill(child, number)) for number in PASSED_ON}
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield child
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _run_with_terminal(pid_1, command, cgroup):
    """The command needs a terminal of its own machine: with ours, its shell could not find its process group there."""
    here, there = socket.socketpair()

    def on_terminal():
        master, slave = os.openpty()
        socket.send_fds(there, [b"pty"], [master])
        os.login_tty(slave)
        command()

    child = container.enter(pid_1, on_terminal, cgroup)
    there.close()
    _, fds, _, _ = socket.recv_fds(here, 3, 1)
    if fds:
        _relay(fds[0])
    return _status(child)


def _relay(master):
    """Copy between our terminal and MASTER until the other side has been closed by all."""
    def resize(*_):
        size = array.array("H", [0] * 4)
        fcntl.ioctl(0, termios.TIOCGWINSZ, size)
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)

    settings = termios.tcgetattr(0)
    resize()
    signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0, termios.TCSADRAIN)  # not FLUSH: what was typed ahead is for the command
    sources = [0, master]
    try:
        while True:
            ready = select.select(sources, [], [])[0]
            if master in ready:
                os.write(1, os.read(master, 65536))
            if 0 in ready:
                data = os.read(0, 65536)
                os.write(master, data or b"\x04")
                if not data:
                    sources.remove(0)
    except OSError:
        pass  # EIO: no process has the terminal open any more
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
