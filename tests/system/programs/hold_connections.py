#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold_connections.py COUNT [HOST PORT]: so many connections to ckptd on this node, or as root to that port from one of root's own, on
which nothing is said. It writes how many it has made, and keeps them until its standard input ends."""

import socket
import sys

PATH = "/run/ckptd/ckptd.sock"
PORTS = iter(range(1023, 664, -1))  # of which nodes take one (criu-glue/handshake)


def to_daemon():
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(PATH)
    return connection


def to_port(host, port):
    for own in PORTS:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(10)
        try:
            connection.bind(("", own))
            connection.connect((host, port))
            return connection
        except OSError:
            connection.close()
    raise SystemExit("no port is left")


count = int(sys.argv[1])
held = [to_port(sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else to_daemon() for _ in range(count)]
print(len(held), flush=True)
sys.stdin.read()
