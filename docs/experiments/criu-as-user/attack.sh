#!/bin/bash
# attack.sh: (1) credentials after execve for each id arrangement, (2) what alice may do to a criu that is busy dumping her task,
# (3) what happens to the task when she does her worst
. "$(dirname "$0")/lib.sh"; H=$(dirname "$(realpath "$0")"); export H
C=checkpoint_restore,dac_override,sys_ptrace,setpcap
for i in 2001:2001:2001 2001:2001:0 0:2001:2001 0:2001:0; do echo "before execve r:e:s = $i; after:"; echo "  $(asuser -i $i -c $C showcreds)"; done
printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] && { echo x > /local/hook.flag; sleep 2; }\nexit 0\n' > /local/hook.sh; chmod 755 /local/hook.sh
: > /local/hook.flag; chmod 666 /local/hook.flag
DIR=/local/alice
for MODE in user plugin; do
	. $H/modes.sh; start $DIR $DIR/target $DIR; fresh; : > /local/hook.flag
	echo "== $MODE"; dump $P "setsid -w prlimit --core=0:0 $PD" $OPT --leave-running --action-script /local/hook.sh & D=$!
	for i in $(seq 100); do [ -s /local/hook.flag ] && break; sleep .05; done
	alice python3 $H/attack.py $(pgrep -o -x criu); wait $D; echo "  dump rc $?"; kill -9 $P; sleep .2
done
MODE=user; . $H/modes.sh
state() { grep -E '^(State|TracerPid)' /proc/$P/status | tr -s '\t\n' ' '; }
mid() { # in mid-dump of 1 GiB
	start $DIR $DIR/feat big $DIR; sleep 1.5; fresh; dump $P "prlimit --core=0:0 $PD" $OPT --leave-running & D=$!
	for i in $(seq 400); do [ -s $IMG/pages-1.img ] && break; sleep .01; done
	local c=$(pgrep -o -x criu)
	case $1 in
	stop) alice kill -STOP $c; sleep 2; echo "  SIGSTOP, after 2 s: criu $(ps -o stat= -p $c), task $(state)"; kill -KILL $c ;;
	fsize) alice prlimit --pid $c --fsize=4096:4096 ;; nofile) alice prlimit --pid $c --nofile=3:3 ;;
	core) alice prlimit --pid $c --core=unlimited:unlimited; alice kill -SEGV $c ;; *) alice kill -$1 $c ;;
	esac
	wait $D; local r=$?; sleep .3; local n=$(alice tail -1 $DIR/out.log); sleep .3
	echo "  $1: dump rc $r; task $(state) $n -> $(alice tail -1 $DIR/out.log), core files: $(ls $IMG | grep -c ^core$)"
	fresh; dump $P "$PD" $OPT; echo "    next dump rc $?"; kill -9 $P 2>/dev/null; sleep .2
}
echo "== in mid-dump"; for a in stop KILL SEGV core fsize nofile; do mid $a 2>&1 | grep -v ' [0-9]* \(Killed\|Segm\|File size\)'; done
echo "== SIGKILL in mid-restore"
start $DIR $DIR/feat big $DIR; sleep 1.5; fresh; dump $P "$PD" $OPT
PRE="$ASUSER -c checkpoint_restore,setpcap" ARGS="$COMMON $OPT" IMG=$IMG P=$P unshare -p -m -f --propagation slave bash -c '
	mount -t proc proc /proc; cd /; exec 9<$IMG; setsid $PRE criu restore -d -D /proc/self/fd/9 -o restore.log $ARGS 2>/dev/null & sleep 0.4
	alice kill -KILL $(pgrep -o -x criu); sleep 3; ps -o pid,stat,user,wchan,comm -p $P; grep -E "CapEff|SigBlk" /proc/$P/status' 2>&1 | grep -v Killed
