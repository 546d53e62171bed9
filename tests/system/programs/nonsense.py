#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nonsense.py COUNT: so many messages to ckptd that are none of the protocol, each on a connection of its own. Each has to be closed."""

import os
import socket
import sys

closed = 0
for _ in range(int(sys.argv[1])):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(60)
        connection.connect("/run/ckptd/ckptd.sock")
        connection.send(os.urandom(100))
        closed += connection.recv(1) == b""
print(f"{closed} closed")
