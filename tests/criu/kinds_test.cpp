// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel objects that a job may hold: each must work after a restore as it did before.
#include <unistd.h>

#include <csignal>
#include <thread>

#include "testbed.hpp"

namespace ckpt::testing {

namespace {

using wire::InitStatus;

// Sets everything up, says "ready", waits for the file "go" and checks everything.
constexpr const char* k_everything = R"py(
import ctypes, fcntl, mmap, os, resource, select, signal, socket, sys, threading, time
out = lambda *a: print(*a, flush=True)
def check(name, ok): out("ok" if ok else "BAD", name)

os.umask(0o027); os.makedirs("sub", exist_ok=True); os.chdir("sub")
resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, resource.RLIM_INFINITY if resource.getrlimit(resource.RLIMIT_STACK)[1] < 0 else resource.getrlimit(resource.RLIMIT_STACK)[1]))
os.nice(3)
ghost = open("ghost", "w+b"); ghost.write(b"x" * 3000000 + b"end"); ghost.flush(); os.unlink("ghost")
locked = open("locked", "w"); fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
a, b = socket.socketpair(); a.send(b"pending")
r, w = os.pipe(); os.write(w, b"piped")
fcntl.fcntl(w, 1031, 1 << 20)  # F_SETPIPE_SZ
efd = os.eventfd(5)
mem = os.memfd_create("m"); os.write(mem, b"memory")
ep = select.epoll(); ep.register(r, select.EPOLLIN)
listener = socket.create_server(("127.0.0.1", 0)); client = socket.create_connection(listener.getsockname())
server, _ = listener.accept(); client.send(b"over tcp")
ulisten = socket.socket(socket.AF_UNIX); ulisten.bind("u.sock"); ulisten.listen()
shared = mmap.mmap(-1, 8192); shared[:4] = b"fork"
child_r, child_w = os.pipe()
child = os.fork()
if child == 0:
    os.read(child_r, 1); shared[:4] = b"kid!"; os._exit(11)
stopped = os.fork()
if stopped == 0:
    time.sleep(1000); os._exit(0)
os.kill(stopped, signal.SIGSTOP); os.waitpid(stopped, os.WUNTRACED)
zombie = os.fork()
if zombie == 0: os._exit(9)
ticks = 0
def tick(*_):
    global ticks; ticks += 1
signal.signal(signal.SIGALRM, tick); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2)
beats = [0] * 4
def beat(i):
    while True: beats[i] += 1; time.sleep(0.01)
for i in range(4): threading.Thread(target=beat, args=(i,), daemon=True).start()
big = bytearray(os.urandom(1 << 20) * 20); digest = hash(bytes(big))
before = {"pid": os.getpid(), "pgid": os.getpgid(0), "sid": os.getsid(0), "groups": os.getgroups(), "ids": os.getresuid() + os.getresgid(),
          "caps": [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNewPrivs", "Seccomp:", "Umask"))]}
expired = os.timerfd_create(time.CLOCK_MONOTONIC); os.timerfd_settime(expired, initial=0.02, interval=0.02)
off = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK); os.timerfd_settime(off, initial=0, interval=0.02)
time.sleep(0.1)
mono = time.monotonic()
out("ready")
while not os.path.exists("../go"):
    mono_now = time.monotonic()
    if mono_now - mono > 2.5 or mono_now < mono: out("BAD monotonic", mono_now - mono)
    mono = mono_now
    time.sleep(0.02)

after = {"pid": os.getpid(), "pgid": os.getpgid(0), "sid": os.getsid(0), "groups": os.getgroups(), "ids": os.getresuid() + os.getresgid(),
         "caps": [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNewPrivs", "Seccomp:", "Umask"))]}
check("identity " + str([k for k in before if before[k] != after[k]]), before == after)
check("limits and nice", resource.getrlimit(resource.RLIMIT_STACK)[0] == 4 << 20 and os.nice(0) == 3)
ghost.seek(3000000); check("deleted file", ghost.read() == b"end")
other = open("locked", "w")
try: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB); check("lock", False)
except BlockingIOError: check("lock", True)
check("socketpair", b.recv(100) == b"pending")
check("epoll", ep.poll(1) == [(r, select.EPOLLIN)])
check("pipe", os.read(r, 100) == b"piped" and fcntl.fcntl(w, 1032) == 1 << 20)
check("eventfd", os.eventfd_read(efd) == 5)
os.lseek(mem, 0, 0); check("memfd", os.read(mem, 100) == b"memory")
check("tcp", server.recv(100) == b"over tcp" and server.send(b"back") == 4 and client.recv(100) == b"back")
c2 = socket.create_connection(listener.getsockname()); s2, _ = listener.accept(); check("tcp listener", True)
uc = socket.socket(socket.AF_UNIX); uc.connect("u.sock"); ulisten.accept(); check("unix listener", True)
os.write(child_w, b"x"); _, st = os.waitpid(child, 0)
check("child and shared memory", os.WEXITSTATUS(st) == 11 and shared[:4] == b"kid!")
check("stopped child", open(f"/proc/{stopped}/stat").read().split()[2] == "T")
os.kill(stopped, signal.SIGKILL); os.kill(stopped, signal.SIGCONT); os.waitpid(stopped, 0)
check("zombie", os.WEXITSTATUS(os.waitpid(zombie, 0)[1]) == 9)
for n in range(3): os.read(expired, 8)
check("expired periodic timerfd", True)
try: os.read(off, 8); check("timerfd that is off", False)
except BlockingIOError: check("timerfd that is off", True)
t = ticks; time.sleep(0.3); check("interval timer", ticks - t >= 3)
check("pending signal", signal.SIGUSR2 in signal.sigpending())
n = beats[:]; time.sleep(0.2); check("threads", all(x > y for x, y in zip(beats, n)))
check("memory", hash(bytes(big)) == digest)
orphan = os.fork()
if orphan == 0:
    if os.fork() == 0: time.sleep(0.2); open("../ppid", "w").write(str(os.getppid())); os._exit(0)
    os._exit(0)
os.waitpid(orphan, 0); time.sleep(0.5)
check("subreaper", open("../ppid").read() == str(os.getppid()))
signal.setitimer(signal.ITIMER_REAL, 0); out("done")
)py";

// SysV objects make criu dump the IPC namespace.
constexpr const char* k_sysv = R"py(
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
shm = libc.shmget(4711, 8192, 0o600 | 0o1000); at = libc.shmat(shm, None, 0); ctypes.memmove(at, b"shared", 7)
msg = libc.msgget(4712, 0o600 | 0o1000); libc.msgsnd(msg, ctypes.create_string_buffer(b"\1\0\0\0\0\0\0\0queued"), 6, 0)
sem = libc.semget(4713, 1, 0o600 | 0o1000); libc.semctl(sem, 0, 16, 42)
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
buf = ctypes.create_string_buffer(64)
ok = ctypes.string_at(at) == b"shared" and libc.msgrcv(msg, buf, 32, 0, 0) == 6 and buf.raw[8:14] == b"queued" \
    and libc.semctl(sem, 0, 12, 0) == 42 and libc.shmget(4711, 8192, 0o600) == shm
print("ok sysv" if ok else "BAD sysv", flush=True)
print("done", flush=True)
)py";

// What the user's own rights do not suffice for: a filter, and a process whose /proc files are root's.
constexpr const char* k_confined = R"py(
import ctypes, os, struct, time
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
class Prog(ctypes.Structure): _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
prog = Prog(1, ctypes.addressof(allow))
child = os.fork()
if child == 0:
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(prog)) == 0, ctypes.get_errno()
    while not os.path.exists("go"): time.sleep(0.02)
    os._exit(5 if "Seccomp:\t2" in open("/proc/self/status").read() else 6)
hidden = os.fork()
if hidden == 0:
    libc.prctl(4, 0, 0, 0, 0)
    while not os.path.exists("go"): time.sleep(0.02)
    os._exit(7 if libc.prctl(3, 0, 0, 0, 0) == 0 else 8)
time.sleep(0.3)
print("ready", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
ok = os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 5
print("ok seccomp" if ok else "BAD seccomp", flush=True)
ok = os.WEXITSTATUS(os.waitpid(hidden, 0)[1]) == 7
print("ok not dumpable" if ok else "BAD not dumpable", flush=True)
print("done", flush=True)
)py";

class Kinds : public CriuTest {
protected:
    // Runs `program`, dumps it once it is ready, restores it twice, and lets it check itself.
    void survive(const std::string& program) {
        const auto task = make_task();
        put_file(m_place + "/program.py", program);
        task->start_command({"/usr/bin/python3", m_place + "/program.py"});
        ASSERT_EQ(task->report().status, InitStatus::started);
        ASSERT_TRUE(eventually([&] { return task->output() == "ready\n"; })) << task->output();
        for (const char* generation : {"gen-1", "gen-2"}) {
            const Fd images = images_dir(generation);
            DumpCall stop;
            stop.leave_stopped = true;
            ASSERT_OK(call_dump(*task, images.get(), stop));
            task->kill_tree();
            std::this_thread::sleep_for(std::chrono::seconds(3)); // more than the program's clock may jump
            task->renew(task->output_name());
            RestoreCall stopped;
            stopped.tree_was_stopped = true;
            ASSERT_OK(call_restore(*task, images.get(), m_tails.get(), stopped));
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            ASSERT_EQ(task->output(), "ready\n");
        }
        put_file(m_place + "/go", "go");
        const auto ended = task->report();
        EXPECT_EQ(ended.status, InitStatus::ended);
        EXPECT_EQ(ended.value, 0);
        EXPECT_EQ(task->output().find("BAD"), std::string::npos) << task->output();
        EXPECT_TRUE(task->output().ends_with("done\n")) << task->output();
    }
};

TEST_F(Kinds, EverythingAtOnce) {
    survive(k_everything);
}

TEST_F(Kinds, ConfinedProcesses) {
    survive(k_confined);
}

TEST_F(Kinds, SysvObjects) {
    survive(k_sysv);
}

} // namespace

} // namespace ckpt::testing
