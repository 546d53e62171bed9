# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""The cluster's network: a bridge in a network namespace of its own, the "switch", and a veth pair to each node. Nothing of it
is visible in the host's network namespace, and clusters cannot clash: all use the same addresses, each behind its own switch."""

import subprocess
from pathlib import Path

SUBNET = "192.0.2"  # TEST-NET-1 of RFC 5737: never a real network's addresses
PREFIX = 24
TCP_LISTEN = "0A"


def address(name):
    """ctl is .1; n1, n2, ... are .11, .12, ..."""
    return f"{SUBNET}.{1 if name == 'ctl' else 10 + int(name[1:])}"


def hosts_file(names):
    return "127.0.0.1 localhost\n" + "".join(f"{address(name)} {name}\n" for name in names)


def make_switch(switch_pid):
    _ip(switch_pid, "link add br0 type bridge", "link set br0 up")


def plug_in(switch_pid, name, node_pid):
    """Connect the node whose pid 1 is NODE_PID. The port of a former life may still be there: the kernel removes the devices
    of a dead network namespace a little later than its last process."""
    _ip(switch_pid, f"link del {name}", check=False)
    _ip(switch_pid, f"link add {name} type veth peer name eth0 netns {node_pid}", f"link set {name} master br0 up")
    _ip(node_pid, f"addr add {address(name)}/{PREFIX} dev eth0", "link set eth0 up")


def set_port(switch_pid, name, state):
    """"down" is a cut cable: the node keeps its address and routes, and nothing arrives. "up" again: what waits is sent again."""
    _ip(switch_pid, f"link set {name} {state}")


def listens(pid, address):
    """Whether something listens in the network namespace of PID: at a TCP port or at the path of a Unix socket. Read from
    the kernel, since a client that tries too early, such as sinfo, would wait a second before it tries again."""
    net = Path(f"/proc/{pid}/net")
    if isinstance(address, str):
        return any(line.endswith(" " + address) for line in (net / "unix").read_text().splitlines())
    sockets = (line.split() for table in ("tcp", "tcp6") for line in (net / table).read_text().splitlines()[1:])
    return any(local.endswith(f":{address:04X}") and state == TCP_LISTEN for _, local, _, state, *_ in sockets)


def _ip(pid, *commands, check=True):
    result = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-batch", "-"], input="\n".join(commands) + "\n",
                            text=True, capture_output=True)
    if check and result.returncode:
        raise OSError(f"ip {'; '.join(commands)}: {result.stderr.strip()}")
