# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages to ckptd by hand (criu-glue/wire/codec.hpp, messages.hpp), for programs that send what no program of ours would."""

import socket
import struct

SOCKET = "/run/ckptd/ckptd.sock"
METRICS = "/run/ckptd/metrics.sock"
PACKET_MAX = 64 * 1024
BATCH = 0xFFFFFFFB  # SLURM_BATCH_SCRIPT


def message(kind, *fields, magic=0x54504B43, version=1):
    """FIELDS: (bytes, number), a text, or a list of such fields, which has its count in front."""
    return struct.pack("<IHH", magic, version, kind) + b"".join(map(field, fields))


def field(value):
    if isinstance(value, tuple):
        size, number = value
        return (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    if isinstance(value, list):
        return struct.pack("<I", len(value)) + b"".join(map(field, value))
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(value)) + value


def job_open(job, uid, user="alice", options=()):
    texts = (user, "cluster", "0" * 32, "n1", "", "", "", "", "")
    return message(1, (4, job), (4, uid), (4, uid), (4, 0), (4, 1), (4, 1), (4, 30), (8, 0), *texts, list(options))


def task(kind, job, pid, uid):
    """TaskRegister, StepTaskRegister or AllocationTaskRegister."""
    begin = ((4, job), (4, BATCH), (4, 0), (4, pid), (4, uid), (4, uid), [(4, uid)])
    if kind == 2:
        return message(2, *begin, (1, 1))
    step = (*begin, (8, 7), (4, 1), (4, 1), [])
    return message(6, *step) if kind == 6 else message(7, *step, "0" * 32)


def plugin_messages(job, pid, uid):
    """What only root, in slurmstepd, may say."""
    return {"JobOpen": job_open(job, uid), "TaskRegister": task(2, job, pid, uid), "StepTaskRegister": task(6, job, pid, uid),
            "AllocationTaskRegister": task(7, job, pid, uid), "TaskExit": message(3, (4, job), (4, BATCH), (4, 0), (4, 0)),
            "JobEpilog": message(4, (4, job))}


def hello(root_pid, returning=True, status_pipe=3, script="/bin/sh", stdio=(0, 1, 2), state=-1):
    return message(16, script, (4, status_pipe), (1, returning), (4, root_pid), (1, 0), [(4, number) for number in stdio], (4, state))


def shim_messages(root_pid):
    """What only the shim of a registered task may say."""
    return {"ShimHello": message(10, "/bin/sh", (4, 3), (1, 1), (4, root_pid), (1, 0)), "TaskHello": hello(root_pid),
            "TreeStarted": message(12, (4, root_pid)), "ShimTerm": message(13), "TreeExited": message(15, (4, 0)),
            "Settled": message(18, (8, 1), (4, 0), "", (1, 1), [], [], (1, 0)), "StepOver": message(19, (8, 7)), "StepsKnown": message(20, [(8, 7)]),
            "StepDoubt": message(28, (8, 7), (1, 0)), "AppAsked": message(35, (4, 1), (4, 1), "", []), "AppAnswered": message(36, (4, 1), (1, 0))}


def ask(job, what, token=0):
    return message(30, (4, job), (1, what), (8, token))


def explain(job):
    return message(23, (4, job))


def list_of(job, uid=0, user="", directory="", details=0):
    return message(26, (4, job), (1, details), (1, 0), (4, uid), user, directory)


def caller_messages(job, uid=0, user=""):
    """What everybody may say of their own jobs: of JOB, in the name of UID and USER."""
    return {"create, as it was": message(21, (4, job)), "create": ask(job, 0, 9), "requeue": ask(job, 1), "vacate": ask(job, 2),
            "disable": ask(job, 3), "enable": ask(job, 4), "look": ask(job, 5), "beyond": ask(job, 200), "explain": explain(job),
            "list": list_of(job, uid, user), "show": list_of(job, uid, user, details=1), "prune": message(27, (1, 0), (4, uid), user, "")}


def connect(path=SOCKET, kind=socket.SOCK_SEQPACKET, timeout=20):
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.connect(path)  # waits while others wait to be heard, which it would not with a time limit
    connection.settimeout(timeout)
    return connection


def answer(connection):
    """The next message: its type and content; None when the other end has closed the connection."""
    try:
        data, rights, _, _ = connection.recvmsg(PACKET_MAX, socket.CMSG_SPACE(64))
    except ConnectionError:
        return None
    if not data:
        return None
    return struct.unpack_from("<H", data, 6)[0], data[8:], received(rights)


def received(rights):
    """What a listing writes into the pipe that came with the answer."""
    text = ""
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for number in struct.unpack(f"{len(data) // 4}i", data):
                with open(number, errors="replace") as pipe:
                    text += pipe.read()
    return text


def put(data, path=SOCKET):
    """Send DATA on a connection of its own; what comes back, None if it is closed."""
    with connect(path) as connection:
        try:
            connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return None
        return answer(connection)
