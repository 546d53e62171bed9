#!/usr/bin/python3
# attack.py PID: what may this user do to that process? Harmless probes first, then STOP/CONT; "kill" as 2nd argument ends it.
import ctypes, os, resource, signal, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def say(what, f):
    try: r = f(); print(f"  {what:34} {'ALLOWED' if r is None or r is True else r}")
    except OSError as e: print(f"  {what:34} refused: {e.strerror}")
def sysc(nr, *a):
    r = libc.syscall(nr, *[ctypes.c_long(x) for x in a])
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
def rd(name, mode=os.O_RDONLY): os.close(os.open(f"/proc/{pid}/{name}", mode))
st = {l.split(':')[0]: l.split()[1:] for l in open(f"/proc/{pid}/status")}
print("  ids", st['Uid'], "prm", st['CapPrm'], "eff", st['CapEff'], "amb", st['CapAmb'], "bnd", st['CapBnd'], "proc dir uid", os.stat(f"/proc/{pid}").st_uid)
say("/proc/PID/mem read-write", lambda: rd("mem", os.O_RDWR))
say("/proc/PID/maps", lambda: rd("maps"))
say("/proc/PID/environ", lambda: rd("environ"))
say("/proc/PID/fd list", lambda: os.listdir(f"/proc/{pid}/fd") and None)
say("/proc/PID/cwd (image directory)", lambda: os.listdir(f"/proc/{pid}/cwd") and None)
say("/proc/PID/fd/9 (image directory)", lambda: os.listdir(f"/proc/{pid}/fd/9") and None)
say("ptrace attach (PTRACE_SEIZE)", lambda: (libc.ptrace(0x4206, pid, 0, 0) == 0) or (_ for _ in ()).throw(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))))
def vm():
    b = ctypes.create_string_buffer(8)
    iov = (ctypes.c_void_p * 2)(ctypes.addressof(b), 8)
    sysc(310, pid, ctypes.addressof(iov), 1, ctypes.addressof(iov), 1, 0)
say("process_vm_readv", vm)
def getfd():
    p = os.pidfd_open(pid); sysc(438, p, 1, 0)
say("pidfd_getfd", getfd)
say("kcmp", lambda: sysc(312, pid, os.getpid(), 1, 0, 0) is not None)
def wr(name, v):
    with open(f"/proc/{pid}/{name}", "w") as f: f.write(v)
say("oom_score_adj := 1000", lambda: wr("oom_score_adj", "1000"))
say("clear_refs", lambda: wr("clear_refs", "1"))
say("prlimit read", lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE) and None)
say("prlimit RLIMIT_CORE hard unlimited", lambda: resource.prlimit(pid, resource.RLIMIT_CORE, (-1, -1)) and None)
if len(sys.argv) > 2 and sys.argv[2] == "fsize": say("prlimit RLIMIT_FSIZE := 4096", lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, 4096)) and None)
say("setpriority 19", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
say("sched_setaffinity", lambda: os.sched_setaffinity(pid, [0]))
say("kill 0", lambda: os.kill(pid, 0))
say("SIGSTOP", lambda: os.kill(pid, signal.SIGSTOP))
print("    state", [l for l in open(f"/proc/{pid}/status") if l.startswith("State")][0].split()[1])
say("SIGCONT", lambda: os.kill(pid, signal.SIGCONT))
if len(sys.argv) > 2 and sys.argv[2].isdigit(): say(f"signal {sys.argv[2]}", lambda: os.kill(pid, int(sys.argv[2])))
