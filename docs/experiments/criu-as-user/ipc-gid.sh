#!/bin/bash
# ipc-gid.sh: private IPC namespace with SysV shared memory; a child with another primary group; a binary the user cannot read
. "$(dirname "$0")/lib.sh"; H=$(dirname "$(realpath "$0")"); DIR=/home/alice; export DIR
MIN="$ASUSER -c checkpoint_restore,setpcap"
CHECK='n=$(alice tail -1 $DIR/out.log); sleep .3; echo "  $n -> $(alice tail -1 $DIR/out.log)"'
arr() { case $1 in plugin) MODE=plugin; . $H/modes.sh; PR=${PD/LD_PRELOAD=$SHIM/} ;; *) PD="env ${SHIM:+LD_PRELOAD=$SHIM} $MIN${1#min}" PR="$MIN${1#min}" OPT=--unprivileged IMGOWNER=alice ;; esac; }
go() { # LABEL [PREFIX]
	fresh; dump $P "$2 $PD" $OPT; local r=$?; echo "$1: dump rc $r"; [ $r = 0 ] || { errors dump.log 3 | grep -v RLIMIT; kill -9 $P; return; }
	restore "$PR" "${3:-$CHECK}" $OPT; r=$?; echo "$1: restore rc $r"; [ $r = 0 ] || errors restore.log 3 | grep -v RLIMIT
}
SYS=,sys_admin,sys_ptrace,dac_override,dac_read_search,ipc_owner,setgid,net_admin,chown,fowner
for a in min min$SYS plugin; do for f in plain sysvshm; do arr $a
	WRAP="unshare -i" ; start $DIR $DIR/feat $f $DIR; WRAP=; go "ipc ns, criu outside, $f, $a"
done; done
arr min; WRAP="unshare -i"; start $DIR $DIR/feat plain $DIR; WRAP=; go "ipc ns, criu inside, plain, min" "nsenter -i -t $P"
for a in min min,sys_ptrace min,sys_ptrace,setgid plugin; do arr $a
	alice rm -f $DIR/out.log
	python3 -c '
import os
os.setgroups([2001, 3001]); os.setresgid(2001, 2001, 2001)
if os.fork(): os._exit(0)
os.setsid()
if os.fork() == 0: os.setresgid(3001, 3001, 3001); os.setresuid(2001, 2001, 2001); os.execvp("sleep", ["sleep", "1000"])
os.setresuid(2001, 2001, 2001); os.chdir("'$DIR'")
f = os.open("out.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600); print(os.getpid(), file=open("pid", "w")); os.dup2(f, 1); os.dup2(f, 2)
os.closerange(3, 100); os.execvp("sh", ["sh", "-c", "while :; do echo x; sleep .2; done"])' </dev/null >/dev/null 2>&1
	sleep .5; P=$(alice cat $DIR/pid); go "child with gid 3001, $a" "" 'ps -o pid,user,group,args --ppid $P --no-headers'; pkill -9 -x sleep
done
cp $B/feat /usr/local/bin/xonly; chmod 711 /usr/local/bin/xonly
for a in min min,sys_ptrace,dac_read_search; do arr $a; start $DIR /usr/local/bin/xonly plain $DIR; go "binary root:root 0711, $a"; done
# an image without supplementary groups, restored by a criu that has one: the task keeps it (restore_creds is given no list)
OLD=$AL AL="setpriv --reuid 2001 --regid 2001 --clear-groups"; DIR=/local/alice IMGOWNER=root; start $DIR $DIR/feat plain $DIR; AL=$OLD
fresh; dump $P "env ${SHIM:+LD_PRELOAD=$SHIM}"; restore "setpriv --groups 3001" 'echo "no groups in the image, criu has 3001: $(grep ^Groups /proc/$P/status)"'
