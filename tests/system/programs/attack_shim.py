#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""attack_shim.py talk PID VICTIM JOB: takes the connection of the shim PID, which is the user's own process, and says on it what a shim never would,
about the process VICTIM and the JOB of somebody else.
attack_shim.py become PID VICTIM JOB: has the shim PID, of the user's own JOB, execute this program, which is then the registered task, and says hello
as that, with what ckpt-engine is to take from it for a checkpoint.
The last line is what came of it, as JSON."""

import ctypes
import json
import os
import random
import socket
import struct
import sys
import time

from attack_wire import *

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_PEEKUSER, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH, PTRACE_DETACH = 3, 7, 12, 13, 16, 17
PIDFD_GETFD = 438
RESULT = "become.json"


def connection_of(shim):
    """Its connection to ckptd, as a descriptor of ours; None while it has none."""
    pidfd = os.pidfd_open(shim)
    try:
        for name in os.listdir(f"/proc/{shim}/fd"):
            try:
                if not os.readlink(f"/proc/{shim}/fd/{name}").startswith("socket:"):
                    continue
            except OSError:
                continue
            number = LIBC.syscall(PIDFD_GETFD, pidfd, int(name), 0)
            if number < 0:
                continue
            taken = socket.socket(fileno=number)
            try:
                if taken.family == socket.AF_UNIX and taken.getpeername() == SOCKET:
                    return taken
            except OSError:
                pass
            taken.close()
        return None
    finally:
        os.close(pidfd)


def connected(shim):
    """It comes back by itself when ckptd has hung up on it."""
    for _ in range(600):
        try:
            taken = connection_of(shim)
        except OSError:  # it has ended
            return None
        if taken is not None:
            return taken
        time.sleep(0.05)
    return None


def untrue(shim, victim, job):
    """(name, message, how often)."""
    many = [(4, victim)] * 1500
    # First: after nonsense the connection that is taken may be one that ckptd is about to close.
    yield "settled, unasked", message(18, (8, 0), (4, 0), "", (1, 1), [], [], (1, 0)), 50
    yield "hello again", hello(victim), 1
    for pid in (victim, 1, 0, -1, os.getpid(), 2**31 - 1):
        yield f"tree of {pid}", message(12, (4, pid)), 1
    yield "sruns of others", message(18, (8, 1), (4, 0), "", (1, 1), many[:1024], [(8, number) for number in range(1024)], (1, 1)), 5
    yield "too many sruns", message(18, (8, 1), (4, 0), "", (1, 1), many, [], (1, 1)), 5
    yield "settled with a long text", message(18, (8, 1), (4, 403), "x\n%s%n\x1b[2J\0" * 4000, (1, 1), [], [], (1, 0)), 5
    yield "stand-ins", message(20, [(8, number) for number in range(8000)]), 20
    yield "over", message(19, (8, 1)), 500
    yield "in doubt", message(28, (8, 1), (1, 0)), 500
    yield "asked", message(35, (4, 1), (4, 2**32 - 1), "../../%n\n" * 1000, [(8, 1)] * 1000), 20
    yield "answered", message(36, (4, 1), (1, 200)), 50
    yield "of somebody else's job", message(21, (4, job)), 5
    for name, data in caller_messages(job).items():
        yield name, data, 1
    for name, data in plugin_messages(job, victim, 2001).items():
        yield name, data, 1
    yield "SIGTERM", message(13), 500


def talk(shim, victim, job):
    said = {}
    for name, data, times in untrue(shim, victim, job):
        taken = connected(shim)
        if taken is None:
            said[name] = "no connection"
            continue
        with taken:
            taken.setblocking(True)
            sent = 0
            try:
                for _ in range(times):
                    taken.send(data, socket.MSG_NOSIGNAL)
                    sent += 1
            except OSError:
                pass
            said[name] = sent
    return said


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()]


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def trap(shim):
    """An address of a syscall instruction in it."""
    with open(f"/proc/{shim}/maps") as maps, open(f"/proc/{shim}/mem", "rb") as memory:
        for line in maps:
            words = line.split()
            if words[1].startswith("r-x") and not words[-1].startswith("[v"):
                begin, end = (int(word, 16) for word in words[0].split("-"))
                memory.seek(begin)
                at = memory.read(end - begin).find(b"\x0f\x05")
                if at >= 0:
                    return begin + at
    raise AssertionError("no syscall instruction")


def become(shim, victim, job):
    must(LIBC.ptrace(PTRACE_ATTACH, shim, None, None))
    os.waitpid(shim, 0x40000000)
    registers = Registers()
    must(LIBC.ptrace(PTRACE_GETREGS, shim, None, ctypes.byref(registers)))
    words = [sys.executable, os.path.abspath(__file__), "hello", str(victim), str(job)]
    base = (registers.rsp - 65536) & ~0xFFF
    texts, pointers = b"", []
    for word in words:
        pointers.append(base + 1024 + len(texts))
        texts += word.encode() + b"\0"
    table = struct.pack(f"{len(words) + 1}Q", *pointers, 0)
    with open(f"/proc/{shim}/mem", "r+b", buffering=0) as memory:
        memory.seek(base)
        memory.write(table.ljust(1024, b"\0") + texts)
    registers.rax, registers.rdi, registers.rsi, registers.rdx, registers.rip = 59, pointers[0], base, 0, trap(shim)
    registers.orig_rax = 2**64 - 1  # no call of its own is begun again
    must(LIBC.ptrace(PTRACE_SETREGS, shim, None, ctypes.byref(registers)))
    must(LIBC.ptrace(PTRACE_DETACH, shim, None, None))
    for _ in range(1200):
        if os.path.exists(RESULT):
            with open(RESULT) as file:
                return json.load(file)
        time.sleep(0.05)
    return "nothing came"


def hear(data, root, job):
    """Says hello, of which tree it is, and asks for a checkpoint of it, in which it behaves. What is answered, to the end or for ten seconds."""
    answers = []
    with connect(timeout=10) as connection:
        try:
            for one in (data, message(12, (4, root)), ask(job, 0)):
                connection.send(one)
            while (one := answer(connection)) is not None:
                kind, content, _ = one
                answers.append([kind, content.decode("latin-1")])
                if kind == 17:
                    connection.send(message(18, (8, int.from_bytes(content[:8], "little")), (4, 0), "", (1, 1), [], [], (1, 0)))
                if kind == 22:
                    break
        except OSError as error:
            answers.append(str(error))
    return answers


def say_hello(victim, job):
    """We are the registered task, with its pid and its time of start."""
    said = {}
    os.mkfifo("fifo")
    fifo = os.open("fifo", os.O_RDWR)
    device = os.open("/dev/zero", os.O_RDWR)
    folder = os.open("/", os.O_RDONLY)
    child = os.fork()
    if child == 0:
        time.sleep(1000)
        os._exit(0)
    for name, data in {
            "a tree of somebody else's": hello(victim), "pid 1": hello(1), "itself": hello(os.getpid()), "no such pid": hello(2**31 - 1), "negative": hello(-5),
            "numbers that are none": hello(0, status_pipe=2**31 - 1, stdio=(-1, 2**31 - 1, 7), state=2**31 - 1),
            "a long name": hello(0, script="../" * 20000), "a pipe for a state": hello(child, status_pipe=fifo, stdio=(fifo, fifo, fifo), state=fifo),
            "a device for a state": hello(child, status_pipe=device, stdio=(device,) * 3, state=device),
            "a directory for a state": hello(child, status_pipe=folder, stdio=(folder,) * 3, state=folder)}.items():
        said[name] = hear(data, child if name.endswith("state") else victim, job)
    os.kill(child, 9)
    with open(RESULT + ".new", "w") as file:
        json.dump({"said": said, "pid": os.getpid()}, file)
    os.rename(RESULT + ".new", RESULT)


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what == "hello":
        say_hello(*map(int, numbers))
    else:
        print(json.dumps({"talk": talk, "become": become}[what](*map(int, numbers))), flush=True)
