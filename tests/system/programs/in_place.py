#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes files in place: a database with a rollback journal, one in WAL mode, a file of records and one that is mapped. Each step is
a transaction that "step N" announces in its middle. After 40 steps and with the file "go" it prints what they hold."""

import hashlib
import mmap
import os
import sqlite3
import time

STEPS = 40
SIZE = 1 << 20


def database(name, mode):
    connection = sqlite3.connect(name, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA cache_size=4")  # pages reach the disk before the transaction ends
    connection.execute("CREATE TABLE t (i INTEGER PRIMARY KEY, text TEXT)")
    return connection


databases = {name: database(name, mode) for name, mode in {"journal.db": "DELETE", "wal.db": "WAL"}.items()}
records = os.open("records", os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(records, SIZE)
mapped_file = os.open("mapped", os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(mapped_file, SIZE)
mapped = mmap.mmap(mapped_file, SIZE)
os.close(mapped_file)

for step in range(1, STEPS + 1):
    for connection in databases.values():
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t (text) VALUES (?)", [(f"{step} {i} " + "x" * 1000,) for i in range(20)])
        connection.execute("UPDATE t SET text = text || ? WHERE i % 7 = ?", (str(step), step % 7))
    text = b"%d," % (int(os.pread(records, 20, step % 5 * 1000).split(b",")[0].strip(b"\0") or 0) + step)
    os.pwrite(records, text, step % 5 * 1000)
    mapped[step * 100] = (mapped[step * 100] + step) % 256
    print(f"step {step}", flush=True)
    time.sleep(0.1)
    for connection in databases.values():
        connection.execute("COMMIT")
while not os.path.exists("go"):
    time.sleep(0.05)
for name, connection in databases.items():
    print(name, *connection.execute("SELECT count(*), sum(length(text)) FROM t").fetchone())
    connection.close()
    print(name, *sqlite3.connect(name).execute("PRAGMA integrity_check").fetchone())
for name in ("records", "mapped"):
    with open(name, "rb") as file:
        print(name, hashlib.sha256(file.read()).hexdigest())
