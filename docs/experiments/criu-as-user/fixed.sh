#!/bin/bash
# fixed.sh MODE DIR [FEATURE...]: all features with one fixed arrangement. MODE = user | plugin | root
. "$(dirname "$0")/lib.sh"
MODE=$1 DIR=$2; shift 2; export DIR
. "$(dirname "$0")/modes.sh"
FEATURES=${*:-plain threads tcp tcplisten udp unixpair unixnamed sockbuf pipe fifo ghost ghostdir linkremap ro0400 flock posixlock memfd shmanon shmposix inotify epoll fasync signals subreaper nodump nnp seccomp nice batch mlock oom rlimits manyfds zombie mono}
CHECK='attrs $P > $W/after; n=$(alice tail -1 $DIR/out.log); sleep 0.4; l=$(alice tail -1 $DIR/out.log); alice grep -q BAD $DIR/out.log && echo "BAD"; [ "$n" != "$l" ] && echo "runs" || echo "NOT RUNNING"'
for f in $FEATURES; do
	alice sh -c "rm -f $DIR/link_remap.*"; start $DIR $DIR/feat $f $DIR; kill -0 $P || continue; attrs $P > /tmp/before; fresh
	dump $P "$PD" $OPT; d=$?; kill -9 $P 2>/dev/null
	c=; r=-; if [ $d = 0 ]; then c=$(restore "$PR" "$CHECK" $OPT); r=$?; fi
	printf '%-10s dump %s restore %s %s\n' $f $d $r "$c"
	[ $d = 0 ] || errors dump.log; [ $r = 0 ] || { errors restore.log; continue; }
	diff /tmp/before $W/after | sed 's/^/      attr /'
done
