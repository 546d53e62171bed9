#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""many_clients.py COUNT [--until FILE] [--below DEPTH] -- COMMAND [-- COMMAND]...: COUNT of the commands at once, in turn. What became of each
is a line of JSON, when all have ended: its words, status, output, standard error and seconds. With --until each is run again and again
until FILE exists. With --below they run below so many processes. It writes "begun" to standard error when all have been started."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

PATIENCE_S = 240  # one that has not ended by then hangs
ended = []


def once(command):
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
        what = {"status": done.returncode, "output": done.stdout, "error": done.stderr}
    except subprocess.TimeoutExpired:
        what = {"status": None, "output": "", "error": f"it hangs for {PATIENCE_S} s"}
    ended.append({"command": command, **what, "seconds": time.monotonic() - began})


def run(command, until):
    once(command)
    while until and not os.path.exists(until):
        once(command)


def go_below(depth):
    """Into the last of so many processes, each the child of the one before."""
    for _ in range(depth):
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def commands_in(words):
    commands = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


parser = argparse.ArgumentParser()
parser.add_argument("count", type=int)
parser.add_argument("--until")
parser.add_argument("--below", type=int, default=0)
own, rest = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
options, commands = parser.parse_args(own), commands_in(rest)
go_below(options.below)
threading.stack_size(256 << 10)
threads = [threading.Thread(target=run, args=(commands[i % len(commands)], options.until)) for i in range(options.count)]
for thread in threads:
    thread.start()
print("begun", file=sys.stderr, flush=True)
for thread in threads:
    thread.join()
for one in ended:
    print(json.dumps(one))
