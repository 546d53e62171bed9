#!/bin/bash
# hops.sh MODE DIR [N]: dump (clock 500000 s ahead, as on another node) -> restore in fresh pid+mnt namespaces -> dump from inside them -> ... N times.
# NOTIME=1: the launcher makes no time namespace (mode user)
. "$(dirname "$0")/lib.sh"
MODE=$1 DIR=$2 N=${3:-3}; export DIR
. "$(dirname "$0")/modes.sh"
[ $MODE = user ] && PD="$ASUSER -c checkpoint_restore" PR="$ASUSER -c checkpoint_restore,setpcap"
TNS=; [ $MODE = user ] && TNS=-T   # as root criu makes and dumps the time namespace itself
offsets() { # --unprivileged skips time namespaces: the launcher makes one (whole seconds here, rounded up)
	[ $MODE = user ] && [ -z "$NOTIME" ] && python3 -c '
import pycriu, time, math
e = pycriu.images.load(open("'$IMG'/timens-0.img", "rb"))["entries"][0]
o = lambda k, c: math.ceil(e[k]["tv_sec"] + e[k]["tv_nsec"] / 1e9 - time.clock_gettime(c))
print("-T --monotonic", o("monotonic", time.CLOCK_MONOTONIC), "--boottime", o("boottime", time.CLOCK_BOOTTIME))'
}
CHECK='attrs $P > $W/after; sleep 0.3; alice tail -1 $DIR/out.log; alice grep BAD $DIR/out.log; echo up > $W/up; while [ ! -e $W/stop ]; do sleep 0.05; done'
WRAP="unshare -T --monotonic 500000 --boottime 500000"; start $DIR $DIR/feat mono $DIR; WRAP=; P=$(pgrep -n -x feat)
attrs $P > /tmp/before; fresh; dump $P "nsenter -T -t $P $PD" $OPT; echo "dump 1 rc $?"; errors dump.log
for n in $(seq 2 $((N + 1))); do
	rm -f $W/up $W/stop; UNSHARE=$(offsets); echo "restore $UNSHARE"
	restore "$PR" "$CHECK" $OPT & R=$!
	for i in $(seq 100); do [ -e $W/up ] && break; kill -0 $R 2>/dev/null || break; sleep 0.1; done
	[ -e $W/up ] || { errors restore.log; break; }
	diff /tmp/before $W/after
	I=$(pgrep -n -f 'ns_last_pid$|echo 60000'); rm -rf $IMG; mkdir -m 700 $IMG; chown $IMGOWNER: $IMG
	dump $P "nsenter -p -m $TNS -t $I $PD" $OPT; echo "dump $n from inside rc $?"; errors dump.log
	touch $W/stop; wait $R 2>/dev/null
done
