#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands for ckptd: root, one per node, runs criu for the shims. No authorisation, no time limits: an experiment."""
import contextlib, ctypes, glob, json, os, signal, socket, subprocess, sys, time

SOCKET = "/run/standin-agent"


def descendants(pid):
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in glob.glob(f"/proc/{parent}/task/*/children"):
                found += [int(child) for child in open(task).read().split()]
    return found


def namespace_pid(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("NSpid")).split()[-1])


def dump(connection, pid, directory, leave):
    enter, target = [], pid
    space = os.stat(f"/proc/{pid}/ns/pid").st_ino
    if space != os.stat("/proc/self/ns/pid").st_ino:  # restored before: dump from inside its namespaces
        mates = []
        for process in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                mates += [int(process[6:])] if os.stat(f"{process}/ns/pid").st_ino == space else []
        enter, target = ["nsenter", "-t", str(next(p for p in mates if namespace_pid(p) == 1)), "-m", "-p"], namespace_pid(pid)
    os.makedirs(directory)
    command = [*enter, "criu", "dump", "-t", str(target), "-D", directory, "-o", "dump.log", "--ext-unix-sk", "--manage-cgroups=ignore",
               "--file-locks", "--link-remap", "--leave-running" if leave == "held" else f"--leave-{leave}"]
    if leave == "held":  # everything is saved, and criu keeps the tree still until we let go
        command += ["--action-script", f"{os.path.dirname(os.path.abspath(__file__))}/hold"]
    criu = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while leave == "held" and criu.poll() is None and not os.path.exists(f"{directory}/held"):
        time.sleep(0.001)
    if leave != "held" or criu.poll() is not None:
        return connection.send(json.dumps({"code": criu.wait()}).encode())
    connection.send(b'{"code": 0}')
    connection.recv(1)
    os.unlink(f"{directory}/held")
    criu.wait()


def restore(connection, peer, directory, inherit, fds):
    libc = ctypes.CDLL(None, use_errno=True)
    cgroup = open(f"/proc/{peer}/cgroup").read().strip().splitlines()[-1].split("::")[1]
    os.unshare(os.CLONE_NEWPID)
    reader, writer = os.pipe()
    go_reader, go_writer = os.pipe()
    init = os.fork()
    if init == 0:
        open(f"/sys/fs/cgroup{cgroup}/cgroup.procs", "w").write("0")
        os.setsid()
        os.unshare(os.CLONE_NEWNS)
        libc.mount(b"none", b"/", None, 0x4000 | 0x80000, None)  # MS_REC | MS_SLAVE
        libc.mount(b"proc", b"/proc", b"proc", 0, None)
        open("/proc/sys/kernel/ns_last_pid", "w").write("100000")
        options = [word for fd, name in zip(fds, inherit) if name for word in ("--inherit-fd", f"fd[{fd}]:{name}")]
        code = subprocess.run(["criu", "restore", "-d", "-S", "-D", directory, "-o", "restore.log", "--pidfile", f"{directory}/pid",
                               "--ext-unix-sk", "--manage-cgroups=ignore", "--file-locks", *options], pass_fds=fds).returncode
        root = int(open(f"{directory}/pid").read()) if code == 0 else -1
        os.write(writer, bytes([code]))
        os.close(writer)
        for fd in fds:
            os.close(fd)
        os.read(go_reader, 1)  # the pid first, then the status, however soon the task ends
        while code == 0:
            pid, status = os.wait()
            if pid == root:
                connection.send(json.dumps({"status": status}).encode())
                break
        os._exit(0)
    os.close(writer)
    for fd in fds:
        os.close(fd)
    if os.read(reader, 1) != b"\0":
        return connection.send(b'{"pid": 0}')
    root = next(pid for pid in descendants(init) if namespace_pid(pid) == int(open(f"{directory}/pid").read()))
    os.unlink(f"{directory}/pid")
    connection.send(json.dumps({"pid": root}).encode())
    os.write(go_writer, b"x")
    while message := connection.recv(100):
        os.kill(root, json.loads(message)["signal"])


def serve(connection):
    message, fds, _, _ = socket.recv_fds(connection, 65536, 8)
    peer = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), "little")
    request = json.loads(message)
    match request.pop("op"):
        case "dump":
            dump(connection, **request)
        case "restore":
            restore(connection, peer, fds=fds, **request)
        case "signal":
            for pid in descendants(request["pid"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, request["signal"])
            connection.send(b"{}")


def ask(fds=(), **request):
    """For the shims: the connection, after the first answer, and that answer."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(SOCKET)
    socket.send_fds(connection, [json.dumps(request).encode()], fds)
    return connection, json.loads(connection.recv(4096))


if __name__ == "__main__":
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            serve(connection)
            os._exit(0)
        connection.close()
