#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""attack_sockets.py WHAT [WORD...]: a user, or for comparison root, at the sockets of ckptd. The last line is what came of it, as JSON.
Those that hold something say "ready" first and go on until their standard input ends."""

import json
import os
import random
import resource
import socket
import sys

from attack_wire import *


def outcome(answered):
    if answered is None:
        return "closed"
    kind, data, text = answered
    return {"type": kind, "code": int.from_bytes(data[:4], "little") if kind in (5, 22) else 0, "data": data.decode("latin-1"), "text": text}


def forge(job, uid, pids):
    """Every message of the plugin's and of a shim's, for a job, a user and processes of somebody else's."""
    said = {}
    for pid in map(int, pids.split(",")):
        for name, data in {**plugin_messages(int(job), pid, int(uid)), **shim_messages(pid)}.items():
            said[f"{name} {pid}"] = outcome(put(data))
    return said


def ask_of(job, uid, user):
    return {name: outcome(put(data)) for name, data in caller_messages(int(job), int(uid), user).items()}


def explained(job):
    return outcome(put(explain(int(job))))


def malformed(job):
    """Each message cut at each length, and longer than it may be; counts and sizes that promise what does not come; other types,
    versions and protocols; bytes changed at random. How many of them were answered, and which of these with anything but a refusal."""
    rng = random.Random(8)
    whole = {**plugin_messages(int(job), os.getpid(), os.getuid()), **shim_messages(os.getpid()), **caller_messages(int(job))}
    sent, told = 0, []
    for name, data in whole.items():
        wrong = [data[:length] for length in range(1, len(data))]
        wrong += [data + b"\0", data + bytes(PACKET_MAX - len(data))]
        if name not in ("list", "show", "prune"):  # of these any change may be a good question about the own store
            wrong += [data[:at] + b"\xff\xff\xff\xff" + data[at + 4:] for at in range(8, len(data) - 3)]
            wrong += [bytes(byte if rng.random() < 0.9 else rng.randrange(256) for byte in data) for _ in range(20)]
        for one in wrong:
            sent += 1
            answered = put(one)
            # A change may leave a message that is one: then the answer is a refusal, since nothing of the job is the sender's.
            if answered is not None and outcome(answered)["code"] == 0:
                told.append([name, one.hex(), outcome(answered)])
    for one in [message(kind) for kind in (0, *range(37, 300), 0xFFFF)] + [message(23, (4, 1), version=2), message(23, (4, 1), magic=0)]:
        sent += 1
        if put(one) is not None:
            told.append(["unknown", one.hex()])
    return {"sent": sent, "told": told}


def oversized(job):
    said = []
    for size in (PACKET_MAX + 1, 2 * PACKET_MAX, 150_000):
        said.append(outcome(put(explain(int(job)) + bytes(size - 12))))
    with connect(METRICS, socket.SOCK_STREAM) as reader:
        try:
            for _ in range(64):
                reader.send(b"GET " * 4096)
            reader.recv(1)
        except OSError:
            pass
    return said


def with_descriptors(job):
    """253 with each message, one of them a socket that holds itself: a cycle that only the kernel can free."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    socket.send_fds(left, [b"x"], [left.fileno(), right.fileno()])
    said = []
    for data in (explain(int(job)), hello(os.getpid()), b"x"):
        with connect() as connection:
            try:
                socket.send_fds(connection, [data], [left.fileno()] * 253)
                said.append(outcome(answer(connection)))
            except OSError as error:  # since Linux 6.16 it is told right away
                said.append(error.strerror)
    return said


def hold():
    print("ready", flush=True)
    sys.stdin.read()


def idle():
    """As many connections as there can be, at both sockets, each without a word, or with the beginning of one."""
    kept = []
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for number in range(3000):
        try:
            connection = connect()
        except OSError:
            break
        kept.append(connection)
    for number in range(50):
        try:
            reader = connect(METRICS, socket.SOCK_STREAM)
        except OSError:
            break
        kept.append(reader)
    hold()
    closed = 0
    for connection in kept:
        connection.setblocking(False)
        try:
            closed += not connection.recv(1)
        except BlockingIOError:
            pass
        except ConnectionError:
            closed += 1
    return {"connected": len(kept), "closed": closed}


def silence(job):
    """A user's connection without a word, beside one that has asked something and one of root's: which of them are kept."""
    roots = connect()
    os.seteuid(2002)
    silent, asked = connect(timeout=60), connect()
    os.seteuid(0)
    asked.send(explain(int(job)))
    before = answer(asked)
    closed = silent.recv(1) == b""
    for connection in (roots, asked):
        connection.send(explain(int(job)))
    return {"closed": closed, "asked": before == answer(asked), "root": before == answer(roots)}


def crowd(job, users):
    """As many users, with as many connections as one may have, each of which has asked something."""
    kept = []
    for uid in range(60001, 60001 + int(users)):
        os.seteuid(uid)
        for _ in range(1024):
            connection = connect()
            try:
                connection.send(explain(int(job)))
            except BrokenPipeError:
                pass
            kept.append(connection)
        os.seteuid(0)
    hold()
    return {"connected": len(kept), "kept": sum(answer(one) is not None for one in kept)}


def flood(job):
    """Two hundred connections that ask and ask, and read no answer, until standard input ends."""
    os.set_blocking(0, False)
    kept = [None] * 200
    data = [explain(int(job)), ask(int(job), 0), ask(0, 0), list_of(0), b"nonsense"]
    rounds = dropped = 0
    said = False
    while True:
        for at, connection in enumerate(kept):
            try:
                if connection is None:
                    kept[at] = connection = connect()
                    connection.setblocking(False)
                connection.send(data[(rounds + at) % len(data)])
            except BlockingIOError:
                pass
            except OSError:
                dropped += 1
                kept[at] = None
        rounds += 1
        if rounds >= 20 and not said:
            said = True
            print("ready", flush=True)
        if rounds % 5 == 0 and read_end():
            return {"rounds": rounds, "dropped": dropped}


def read_end():
    try:
        return os.read(0, 1) == b""
    except BlockingIOError:
        return False


def interleaved(own, other):
    """On each of ten connections thirty questions without waiting for an answer, in turn about the own and somebody else's job."""
    kept = [connect() for _ in range(10)]
    for number in range(30):
        for connection in kept:
            connection.send(explain(int((own, other)[number % 2])))
    return [[answer(connection)[0] for _ in range(30)] for connection in kept]


def replay(job):
    """The same bytes before and after the job has ended: what a shim said, and what sckpt did."""
    data = {"create": ask(int(job), 0), "disable": ask(int(job), 3), "explain": explain(int(job)), "hello": hello(os.getpid())}
    before = {name: outcome(put(one)) for name, one in data.items()}
    hold()
    return {"before": before, "after": {name: outcome(put(one)) for name, one in data.items()}}


def leave(job):
    """Requeue requests, all at once, for an own job."""
    kept = []
    for _ in range(500):
        connection = connect()
        connection.send(ask(int(job), 1))
        kept.append(connection)
    hold()
    return [outcome(answer(connection)) for connection in kept]


def deep(job):
    """From a process that has 300 ancestors, on 300 connections, again and again: which job is it that I am in?"""
    os.set_blocking(0, False)
    top, said = os.getpid(), os.pipe()
    for _ in range(300):
        if os.fork():
            os.wait()
            if os.getpid() != top:
                os._exit(0)
            with open(said[0]) as result:
                os.close(said[1])
                return json.load(result)
    kept = [connect(timeout=0) for _ in range(300)]
    sent = answered = 0
    while not read_end():
        for number, connection in enumerate(kept):
            try:
                connection.send(explain(0))
                sent += 1
                if sent == 1000:
                    print("ready", flush=True)
                connection.recv(PACKET_MAX)
                answered += 1
            except BlockingIOError:
                pass
            except OSError:  # hung up on, for answers that were not read in time
                connection.close()
                kept[number] = connect(timeout=0)
    with open(said[1], "w") as result:
        json.dump({"sent": sent, "answered": answered}, result)
    os._exit(0)


def toggle(job):
    """Checkpoints of an own job off and on, a thousand times, while an answer is awaited each time."""
    with connect() as connection:
        codes = set()
        for number in range(2000):
            connection.send(ask(int(job), (3, 4)[number % 2]))
            codes.add(int.from_bytes(answer(connection)[1][:4], "little"))
    return sorted(codes)


WHAT = {"forge": forge, "ask": ask_of, "explain": explained, "malformed": malformed, "oversized": oversized, "descriptors": with_descriptors, "idle": idle, "flood": flood,
        "interleaved": interleaved, "replay": replay, "leave": leave,
        "deep": deep, "toggle": toggle, "silence": silence, "crowd": crowd}

print(json.dumps(WHAT[sys.argv[1]](*sys.argv[2:])), flush=True)
