#!/bin/bash
# [FCHOWN=1] stdio.sh MODE [CAPS]: stdout is a pipe created by root (as slurmstepd does); restored with another such pipe through --inherit-fd. FCHOWN: the
# launcher first gives the new pipe to alice
. "$(dirname "$0")/lib.sh"
MODE=$1 DIR=/home/alice
. "$(dirname "$0")/modes.sh"
[ $MODE = user ] && PR="$ASUSER -c ${2:-checkpoint_restore,setpcap}" PD=$PR
alice sh -c "cd $DIR; rm -f stdio.log"
python3 - $DIR <<'E' > /tmp/pid
import os, sys
r, w = os.pipe()                       # owned by root
if (p := os.fork()) == 0:
    os.setsid(); os.setgroups([2001, 3001]); os.setresgid(2001, 2001, 2001); os.setresuid(2001, 2001, 2001); os.chdir(sys.argv[1])
    n = os.open("/dev/null", os.O_RDWR)
    os.dup2(n, 0); os.dup2(w, 1); os.dup2(w, 2); os.closerange(3, 100)
    os.execvp("sh", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done"])
os.close(w)
print(p, os.stat(r).st_ino, flush=True)
if os.fork() == 0:
    os.setsid(); d = os.open("/dev/null", os.O_RDWR); os.dup2(d, 1); os.dup2(d, 2)
    while os.read(r, 4096): pass
E
read P INO < /tmp/pid; sleep 0.5; fresh; dump $P "$PD" $OPT; echo "$MODE dump $? (pipe $INO)"; errors dump.log
cat > /tmp/rst.py <<'E'
import os, sys, subprocess, time
r, w = os.pipe(); os.set_inheritable(w, True)
if os.environ.get('FCHOWN'): os.fchown(w, 2001, -1)
a = os.environ["PR"].split() + ["criu", "restore", "-d", "-D", "/proc/self/fd/9", "-o", "restore.log", "--inherit-fd", f"fd[{w}]:pipe:[{os.environ['INO']}]"] + os.environ["ARGS"].split()
rc = subprocess.call(a, pass_fds=[9, w], umask=0o77); os.close(w); print("restore rc", rc)
if rc == 0: time.sleep(0.5); print(os.read(r, 4096).decode().split("\n")[:3])
E
exec 9<$IMG; PR=$PR INO=$INO ARGS="$COMMON $OPT" unshare -p -m -f --propagation slave bash -c 'mount -t proc proc /proc; echo 60000 > /proc/sys/kernel/ns_last_pid; cd /; setsid -w python3 /tmp/rst.py'; exec 9<&-
errors restore.log
