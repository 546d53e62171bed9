#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""attack_processes.py PID...: everything by which one process gets at another one, tried on each of these, and on a child of ours ("own"), where it
works. The last line says what came of it, as JSON: {PID: {attempt: "done" or the error}}. What would harm comes last, so that all is tried."""

import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
PROCESS_VM_WRITEV, KCMP, PIDFD_GETFD = 311, 312, 438  # x86-64; the last everywhere
SIGNALS = (0, signal.SIGCONT, signal.SIGUSR1, signal.SIGRTMIN + 1, signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL)


def call(function, *arguments):
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def ptrace(request, pid):
    call(LIBC.ptrace, request, pid, None, None)
    if request == PTRACE_SEIZE:
        return
    os.waitpid(pid, 0x40000000)  # __WALL
    call(LIBC.ptrace, PTRACE_DETACH, pid, None, None)


def opened(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags))


def take_descriptor(pid):
    pidfd = os.pidfd_open(pid)
    try:
        call(LIBC.syscall, PIDFD_GETFD, pidfd, 0, 0)
    finally:
        os.close(pidfd)


def write_memory(pid):
    """Into its address 0, where nothing is: EFAULT would mean that it may."""
    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    byte = ctypes.create_string_buffer(1)
    ours, theirs = Piece(ctypes.addressof(byte), 1), Piece(8, 1)
    try:
        call(LIBC.syscall, PROCESS_VM_WRITEV, pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def attempts(pid):
    yield "environ", lambda: open(f"/proc/{pid}/environ", "rb").read()
    yield "mem", lambda: opened(f"/proc/{pid}/mem", os.O_RDWR)
    yield "descriptors", lambda: os.listdir(f"/proc/{pid}/fd")
    yield "root", lambda: os.listdir(f"/proc/{pid}/root")
    yield "namespace", lambda: opened(f"/proc/{pid}/ns/mnt")
    yield "take a descriptor", lambda: take_descriptor(pid)
    yield "compare", lambda: call(LIBC.syscall, KCMP, os.getpid(), pid, 1, 0, 0)
    yield "write memory", lambda: write_memory(pid)
    yield "limits", lambda: resource.prlimit(pid, resource.RLIMIT_CORE, resource.prlimit(pid, resource.RLIMIT_CORE))
    yield "attach", lambda: ptrace(PTRACE_ATTACH, pid)
    yield "seize", lambda: ptrace(PTRACE_SEIZE, pid)


def harmful(pid):
    yield "priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)
    yield "processors", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(0))
    yield "oom", lambda: open(f"/proc/{pid}/oom_score_adj", "w").write("1000")
    for number in SIGNALS:
        yield f"signal {int(number)}", lambda number=number: os.kill(pid, number)


def told(attempt):
    try:
        attempt()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]


def main(words):
    looks_only = "--look" in words
    pids = [int(word) for word in words if word != "--look"]
    own = subprocess.Popen(["sleep", "1000"])
    said = {}
    for pid in (*pids, own.pid):
        tried = [*attempts(pid), *(() if looks_only and pid != own.pid else harmful(pid))]
        said["own" if pid == own.pid else pid] = {name: told(attempt) for name, attempt in tried}
    own.wait()
    print(json.dumps(said))


main(sys.argv[1:])
