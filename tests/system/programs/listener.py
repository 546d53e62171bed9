#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In place of ckptd: accepts, never answers, and prints who has connected; ends with its standard input. Run as root."""

import os
import select
import socket
import struct
import sys
from pathlib import Path

PATH = "/run/ckptd/ckptd.sock"

os.makedirs(os.path.dirname(PATH), exist_ok=True)
if os.path.exists(PATH):
    os.unlink(PATH)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(PATH)
os.chmod(PATH, 0o666)
listener.listen(100)
print("listening", flush=True)
kept = []
while sys.stdin not in (ready := select.select([sys.stdin, listener], [], [])[0]):
    connection, _ = listener.accept()
    kept.append(connection)
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    print("connection", uid, Path(f"/proc/{pid}/comm").read_text().strip(), flush=True)
os.unlink(PATH)
