#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hold_connections.py COUNT [HOST PORT]: so many connections to ckptd on this node, on each of which something was asked, or as root to that
port from one of root's own, on which nothing is said. It writes how many it has made, and keeps them until its standard input ends."""

import socket
import sys

from attack_wire import connect, explain

NOBODYS = 9998  # no job has this number
PORTS = iter(range(1023, 664, -1))  # of which nodes take one (criu-glue/handshake)


def to_daemon():
    connection = connect()
    try:
        connection.send(explain(NOBODYS))
    except BrokenPipeError:
        pass  # it was more than ckptd keeps
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
