#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""stepshim.py SHIM_HOST:PORT KEY IMAGES|- CMD...: the step's task. Runs CMD, or restores it from IMAGES/PROCID, in its place.
Standard input goes through this process, so that at a cut it can take out what Slurm holds; output does not."""
import base64, json, os, select, signal, socket, sys
from agent import ask

address, key, images, *command = sys.argv[1:]
procid = os.environ["SLURM_PROCID"]
host, port = address.split(":")
shim = socket.create_connection((host, int(port)))
shim.send(json.dumps({"key": key, "procid": procid, "tasks": int(os.environ["SLURM_NTASKS"])}).encode() + b"\n")
reader, writer = os.pipe()
backlog, mark, agent = b"", b"", None

if images == "-":
    app = os.fork()
    if app == 0:
        os.setsid()
        os.dup2(reader, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.closerange(3, 100)
        try:
            os.execvp(command[0], command)
        except OSError as error:  # as slurmstepd says it
            print(f"slurmstepd-{os.uname().nodename}: error: execve(): {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
            os._exit(error.errno)
else:
    state = json.load(open(f"{images}/{procid}.json"))
    backlog = base64.b64decode(state["stdin"])
    agent, answer = ask([reader, 1, 2], op="restore", directory=f"{images}/{procid}", inherit=state["inherit"])
    app = answer["pid"]
    if not app:
        sys.exit("stepshim: restore failed")
os.close(reader)
os.set_blocking(writer, False)
ended = agent.fileno() if agent else os.pidfd_open(app)


def end(status):
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    if os.WTERMSIG(status) != signal.SIGKILL:
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))


def forward(number, frame):
    agent.send(json.dumps({"signal": number}).encode()) if agent else os.kill(app, number)


def dump(directory, leave, drain):
    """First the producer stands still, then our mark follows its last byte through Slurm; see shim.py."""
    global backlog, mark, held
    inherit = [os.readlink(f"/proc/{app}/fd/{fd}") if os.path.lexists(f"/proc/{app}/fd/{fd}") else "" for fd in range(3)]
    inherit = [name if name.startswith("pipe:") else "" for name in inherit]
    if select.select([ended], [], [], 0)[0]:
        return shim.send(b'{"dumped": "ended"}\n')
    held, answer = ask(op="dump", pid=app, directory=f"{directory}/{procid}", leave=leave)
    if drain and answer["code"] == 0:
        mark = drain.encode() + b"\n"
        os.write(1, mark)
        os.write(2, mark)
        while mark not in backlog and (data := os.read(0, 65536)):
            backlog += data
        backlog = backlog.replace(mark, b"")
    if writer >= 0:  # what the task has not read yet: it stands still, so this puts nothing in disorder
        own_end = os.open(f"/proc/self/fd/{writer}", os.O_RDONLY | os.O_NONBLOCK)
        unread = b""
        while select.select([own_end], [], [], 0)[0]:
            unread += os.read(own_end, 65536)
        os.close(own_end)
        backlog = unread + backlog
    json.dump({"inherit": inherit, "stdin": base64.b64encode(backlog).decode()}, open(f"{directory}/{procid}.json", "w"))
    shim.send(json.dumps({"dumped": "ended" if answer["code"] and select.select([ended], [], [], 1)[0] else answer["code"]}).encode() + b"\n")


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
    signal.signal(number, forward)
poll, open_input = select.poll(), True
poll.register(shim, select.POLLIN)
poll.register(ended, select.POLLIN)
while True:
    if writer >= 0 and backlog:
        poll.register(writer, select.POLLOUT)
    if open_input:
        poll.register(0, 0 if len(backlog) > 65536 else select.POLLIN)
    for fd, event in poll.poll():
        if fd == ended:
            end(json.loads(agent.recv(100))["status"] if agent else os.waitpid(app, 0)[1])
        elif fd == shim.fileno():
            for line in shim.recv(65536).splitlines():
                request = json.loads(line)
                if "dump" in request:
                    dump(request["dump"], request["leave"], request["drain"])
                else:
                    if request["release"] == "kill":
                        ask(op="signal", pid=app, signal=signal.SIGKILL)
                    held.close()
        elif fd == 0:
            data = os.read(0, 65536)
            backlog += data
            if not data:
                open_input = False
                poll.unregister(0)
        elif fd == writer:
            try:
                backlog = backlog[os.write(writer, backlog):]
            except BrokenPipeError:
                backlog = b""
            poll.unregister(writer)
    if not open_input and not backlog and writer >= 0:
        os.close(writer)
        writer = -1
