#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""shim.py STORE CUT SCRIPT: the batch task. Runs SCRIPT as a tree of its own, or restores it, and the real sruns for it.
SIGUSR1 to this process: checkpoint and requeue; SIGUSR2: checkpoint and go on. CUT says how the cut is made:
  exact        steps stand still, Slurm's buffers are emptied, then the script is dumped
  no-drain     the same without emptying
  steps-first  steps are dumped and run on, the script is dumped 0.5 s later
  batch-first  the script is dumped, the steps 0.5 s later
  rerun        exact, but a step that was running starts from its beginning"""
import base64, contextlib, glob, json, os, re, resource, select, signal, socket, subprocess, sys, time
from agent import ask, descendants

store, cut_mode, script = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
job, host = os.environ["SLURM_JOB_ID"], os.environ["SLURMD_NODENAME"]
directory = f"/tmp/standin-{job}"
handlers, poll = {}, select.poll()
steps = {}  # by the stand-in's random id
base = dict(os.environ)  # what the script's first incarnation saw
stand = time.monotonic


def watch(fd, handler, events=select.POLLIN):
    handlers[fd] = handler
    poll.register(fd, events)


def unwatch(fd):
    if handlers.pop(fd, None):
        poll.unregister(fd)


def turn(timeout=None):
    for fd, _ in poll.poll(timeout):
        if fd in handlers:
            handlers[fd]()


class Output:
    """From a pipe that the real srun writes to, to the stand-in's stream. While a cut is made, MARKs are counted and taken out."""
    def __init__(self, sink, pending, delivered):
        self.sink, self.pending, self.delivered, self.mark, self.expected = sink, pending, delivered, b"", 0
        self.source, self.end = os.pipe()
        os.set_blocking(self.source, False)
        watch(self.source, self.read)
        self.flow()

    def read(self):
        try:
            data = os.read(self.source, 65536)
        except BlockingIOError:
            return False
        if not data:
            unwatch(self.source)
        self.pending += data
        while self.expected and self.mark in self.pending:
            self.pending = self.pending.replace(self.mark, b"", 1)
            self.expected -= 1
        self.flow()
        return bool(data)

    def flow(self):
        if self.pending and not self.expected and not paused:
            watch(self.sink, self.write, select.POLLOUT)
        else:
            unwatch(self.sink)
        if self.source in handlers:  # as much as a pipe holds, then the producer has to wait; everything, while a cut is made
            poll.modify(self.source, select.POLLIN if len(self.pending) < 65536 or self.expected else 0)
        if not paused and not self.pending:
            self.delivered()

    def write(self):
        try:  # the description is the script's too: never O_NONBLOCK on it; PIPE_BUF bytes do not block after POLLOUT
            self.pending = self.pending[os.write(self.sink, self.pending[:select.PIPE_BUF]):]
        except BrokenPipeError:
            self.pending = b""
            if self.source in handlers:
                unwatch(self.source)
                os.close(self.source)
        self.flow()

    def finish(self):
        """srun has ended: what it has written is all in the pipe."""
        self.expected = 0
        while self.source in handlers and self.read():
            pass
        unwatch(self.source)


class Input:
    """From the stand-in's standard input to a pipe that the real srun reads."""
    def __init__(self, source, pending=b""):
        self.source, self.pending, self.first, self.open = source, pending, b"", True
        self.end, self.sink = os.pipe()
        os.set_blocking(self.sink, False)
        self.flow()

    def flow(self):
        unwatch(self.source)
        unwatch(self.sink)
        if self.open and len(self.pending) < 65536 and not paused:
            watch(self.source, self.read)
        if self.first or self.pending and not paused:
            watch(self.sink, self.write, select.POLLOUT)
        elif not self.open and not self.pending and self.sink >= 0:
            os.close(self.sink)
            self.sink = -1

    def read(self):
        data = os.read(self.source, 65536)
        self.open, self.pending = bool(data), self.pending + data
        self.flow()

    def write(self):
        try:
            if self.first:
                self.first = self.first[os.write(self.sink, self.first):]
            else:
                self.pending = self.pending[os.write(self.sink, self.pending):]
        except BrokenPipeError:
            self.first, self.pending, self.open = b"", b"", False
        self.flow()


class Step:
    def __init__(self, key, cwd, mask, argv, env, fds, sender, saved):
        self.key, self.fds, self.tasks, self.ntasks, self.status = key, fds, [], None, None
        plain, self.starting = env.get("STANDIN_PLAIN"), True  # "direct", "relay": for measuring
        env = {name: os.environ.get(name, "") if value == base.get(name) else value for name, value in env.items()
               if value != base.get(name) or name in os.environ}  # the new job's value, unless the script changed it
        if not plain:
            images = saved["images"] if saved and cut_mode != "rerun" else "-"
            command = next(i for i, word in enumerate(argv) if not word.startswith("-"))  # SPANK would prepend instead
            argv[command:command] = [f"{here}/stepshim.py", f"{host}:{port}", key, images]
        saved = saved or {"out": ["", ""], "in": "", "status": None}
        same = os.path.sameopenfile(fds[1], fds[2])
        self.outputs, self.input, self.standin = [], None, os.pidfd_open(sender)
        watch(self.standin, self.abandoned)
        self.starting = True
        if plain != "direct":
            for fd, text in zip(fds[1:2] if same else fds[1:3], saved["out"]):
                self.outputs.append(Output(fd, base64.b64decode(text), self.delivered))
        self.starting = False
        if saved["status"] is not None:  # it had ended: what it had said, and how
            for output in self.outputs:
                os.close(output.end)
            return self.end_with(saved["status"])
        if plain != "direct" and os.readlink(f"/proc/self/fd/{fds[0]}") != "/dev/null":
            self.input = Input(fds[0], base64.b64decode(saved["in"]))
        out = [output.end for output in self.outputs] or fds[1:3]
        ends = [self.input.end if self.input else fds[0], out[0], out[-1]]
        os.chdir(cwd)
        os.umask(mask)
        limits = resource.RLIMIT_NOFILE, resource.RLIMIT_STACK, resource.RLIMIT_CORE, resource.RLIMIT_AS, resource.RLIMIT_MEMLOCK
        ours = [resource.getrlimit(limit) for limit in limits]
        for limit, (_, hard) in zip(limits, ours):  # srun hands them to the step
            resource.setrlimit(limit, (resource.prlimit(sender, limit)[0], hard))
        self.pid = os.posix_spawn(env.pop("STANDIN_PROGRAM", "/usr/bin/srun"), ["srun", *argv], env, setsigmask=[], setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
                                  file_actions=[(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(ends)])
        for limit, value in zip(limits, ours):
            resource.setrlimit(limit, value)
        for fd in {*ends} - {*fds}:
            os.close(fd)
        self.pidfd = os.pidfd_open(self.pid)
        watch(self.pidfd, self.ended)

    def ended(self):
        unwatch(self.pidfd)
        self.end_with(os.waitpid(self.pid, 0)[1])

    def end_with(self, status):
        self.status = status
        if self.input:
            unwatch(self.input.source)
        for output in self.outputs:
            output.finish()
        self.delivered()

    def delivered(self):
        """The status follows the last byte."""
        if self.starting or self.status is None or any(output.pending for output in self.outputs) or paused or not self.fds:
            return
        unwatch(self.standin)
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        if not os.environ.get("STANDIN_KEEP_STATUS") or known:
            answer(self.key, f"status {self.status}")

    def abandoned(self):
        unwatch(self.standin)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)


def answer(key, word):
    try:
        sock.sendto(word.encode(), f"{directory}/{key}")
    except OSError:
        pass  # it has ended


def request():
    data, ancillary, _, sender = sock.recvmsg(64, 1024, socket.MSG_CMSG_CLOEXEC)
    key = os.path.basename(sender)
    if data.startswith(b"signal"):
        if key in steps and steps[key].status is None:
            number, pid = int(data.split()[1]), steps[key].pid
            for _ in range(50):  # the same signal twice at once would arrive once
                if not int(re.search(r"ShdPnd:\s*(\w+)", open(f"/proc/{pid}/status").read())[1], 16) & 1 << number - 1:
                    break
                time.sleep(0.001)
            os.kill(pid, number)
        return
    for _, kind, value in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds = [int.from_bytes(value[i:i + 4], "little") for i in range(0, len(value), 4)]
        else:
            pid = int.from_bytes(value[:4], "little")
    size = os.fstat(fds[3]).st_size
    key, cwd, mask, *words = os.pread(fds[3], size, 0).decode().split("\0")[:-1]
    os.close(fds.pop())
    if key in steps:  # it has asked twice around a restore
        for fd in fds:
            os.close(fd)
        return
    saved = known.get(key)
    env = dict(word[1:].split("=", 1) for word in words if word[0] == "e")
    steps[key] = Step(key, cwd, int(mask), [word[1:] for word in words if word[0] == "a"], env, fds, pid, saved)


def register():
    connection, _ = listener.accept()
    hello = json.loads(connection.recv(1000))
    step = steps[hello["key"]]
    step.tasks.append(connection)
    step.ntasks = hello["tasks"]


def sizes():
    found = {}
    for pid in descendants(root):
        for fd in glob.glob(f"/proc/{pid}/fd/*"):
            if os.path.isfile(fd) and os.access(os.readlink(fd), os.W_OK):
                found[os.readlink(fd)] = os.stat(fd).st_size
    return found


def dump_steps(running, images, leave, mark):
    for step in running:
        os.makedirs(f"{images}/{step.key}")
        for output in step.outputs:
            output.mark, output.expected = mark, 0 if not mark else step.ntasks * 2 // len(step.outputs)
        for task in step.tasks:
            with contextlib.suppress(OSError):
                task.send(json.dumps({"dump": f"{images}/{step.key}", "leave": leave, "drain": mark.decode().strip()}).encode())
        if mark and step.input and step.input.sink >= 0:
            step.input.first = mark
            step.input.flow()
    waiting = {task: step for step in running for task in step.tasks}
    while waiting or any(output.expected for step in running for output in step.outputs):
        for task in select.select(waiting, [], [], 0)[0]:
            step, message = waiting.pop(task), task.recv(100)
            code = json.loads(message)["dumped"] if message else "ended"
            while code == "ended" and step.status is None:  # too late to dump it: its end belongs to the cut
                turn(5)
            assert code in (0, "ended"), "dump of a step failed"
        turn(5)


def cut(requeue):
    global paused
    begin, images = stand(), f"{store}/gen-{len(glob.glob(store + '/gen-*')):03}"
    os.makedirs(images)
    while any(step.status is None and len(step.tasks) != step.ntasks for step in steps.values()):
        turn(100)  # one is being started
    running = [step for step in steps.values() if step.status is None]
    leave = "running" if cut_mode == "steps-first" else "held"
    mark = f"\1checkpoint {os.urandom(8).hex()}\n".encode() if cut_mode in ("exact", "rerun") else b""
    paused = mark != b""  # from here on no byte enters or leaves the script's pipes
    if cut_mode != "batch-first":
        dump_steps(running, images, leave, mark)
    still = stand()
    until = stand() + 0.5
    while cut_mode == "steps-first" and stand() < until:
        turn(10)
    paused = True
    code = ask(op="dump", pid=root, directory=f"{images}/batch", leave="stopped" if requeue else "running")[1]["code"]
    assert code == 0, "dump of the script failed"
    lengths = sizes()
    encode = lambda data: base64.b64encode(data if mark else b"").decode()
    saved = {step.key: {"status": step.status, "images": f"{images}/{step.key}", "out": [encode(o.pending) for o in step.outputs],
             "in": encode(step.input.pending if step.input else b"")} for step in steps.values() if step.status is None or step.fds or os.environ.get('STANDIN_KEEP_STATUS')}
    if cut_mode == "batch-first":
        time.sleep(0.5)
        dump_steps(running, images, leave, mark)
    json.dump({"base": base, "steps": saved, "sizes": lengths}, open(f"{images}/manifest", "w"))
    print(f"shim: cut {1000 * (stand() - begin):.0f} ms ({1000 * (still - begin):.0f} until drained), {len(running)} steps running, held back: "
          f"{[[len(o.pending) for o in s.outputs] + [len(s.input.pending) if s.input else 0] for s in running]}", file=log, flush=True)
    if requeue:
        subprocess.run(["scontrol", "requeue", job], check=True)
        ask(op="signal", pid=root, signal=signal.SIGKILL)  # the script first: it must not see its srun end
    for task in (task for step in running for task in step.tasks):
        with contextlib.suppress(OSError):
            task.send(json.dumps({"release": "kill" if requeue else "go"}).encode())
    if requeue:
        sys.exit(0)
    paused = False
    for step in running:
        for stream in step.outputs + [step.input] * bool(step.input):
            stream.flow()


def on_signal():
    for number in os.read(wakeup, 100):
        if number in (signal.SIGUSR1, signal.SIGUSR2):
            cut(number == signal.SIGUSR1)


def script_ended():
    status = json.loads(agent.recv(100))["status"] if agent else os.waitpid(root, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


log = open(f"{store}/shim.log", "a")
paused, known, agent = False, {}, None
os.makedirs(directory, exist_ok=True)
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
if os.path.exists(f"{directory}/shim"):  # of an earlier incarnation on this node
    os.unlink(f"{directory}/shim")
sock.bind(f"{directory}/shim")
watch(sock.fileno(), request)
listener = socket.create_server(("", 0))
port = listener.getsockname()[1]
watch(listener.fileno(), register)
wakeup, wakeup_w = os.pipe()
os.set_blocking(wakeup_w, False)
signal.set_wakeup_fd(wakeup_w)
for number in (signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda *_: None)
watch(wakeup, on_signal)

if generations := sorted(glob.glob(f"{store}/gen-*/manifest")):
    manifest = json.load(open(generations[-1]))
    base, known = manifest["base"], manifest["steps"]
    for path, size in manifest["sizes"].items():
        os.truncate(path, size)
    begin = stand()
    agent, restored = ask(op="restore", directory=os.path.dirname(generations[-1]) + "/batch", inherit=[])
    root = restored["pid"]
    assert root, "restore of the script failed"
    print(f"shim: restored in {1000 * (stand() - begin):.0f} ms on {host}", file=log, flush=True)
    watch(agent.fileno(), script_ended)
    for path in glob.glob(f"{directory}/*"):
        if os.path.basename(path) != "shim":
            answer(os.path.basename(path), "restored")
else:
    if (root := os.fork()) == 0:
        os.setsid()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.closerange(3, 100)
        env = {**os.environ, "STANDIN_DIR": directory, "PATH": f"{here}/bin:{os.environ['PATH']}"}
        os.execvpe("bash", ["bash", script], env)
    watch(os.pidfd_open(root), script_ended)
while True:
    turn()
