#!/bin/bash
# features.sh DIR [FEATURE...]: for each feature of feat.c the capabilities that dump and restore as alice need on top of
# CAP_CHECKPOINT_RESTORE (image directory owned by alice inside a 0700 directory of root)
. "$(dirname "$0")/lib.sh"
DIR=$1; shift
FEATURES=${*:-plain threads tcp tcplisten udp unixpair unixnamed sockbuf pipe fifo ghost ghostdir linkremap ro0400 flock posixlock memfd shmanon sysvshm inotify epoll fasync signals subreaper shmposix nodump nnp seccomp nice batch mlock oom rlimits manyfds zombie mono}
BASE=checkpoint_restore
CAND="dac_override dac_read_search sys_ptrace sys_admin net_admin setpcap setgid setuid sys_nice ipc_lock ipc_owner chown fowner sys_chroot kill lease sys_ptrace,dac_override sys_ptrace,dac_read_search"
CHECK='attrs $P > $W/after; n=$(alice tail -1 $DIR/out.log); sleep 0.4; l=$(alice tail -1 $DIR/out.log); alice grep -q BAD $DIR/out.log && echo "BAD: $l"; [ "$n" != "$l" ] && echo "runs $n $l" || echo "NOT RUNNING $l"'
export DIR
one_dump() { alice sh -c "rm -f $DIR/link_remap.*"; start $DIR $DIR/feat $f $DIR; kill -0 $P 2>/dev/null || { echo "  start failed: $(alice cat $DIR/out.log)"; return 2; }; attrs $P > /tmp/before; fresh; dump $P "$ASUSER -c $1" --unprivileged; local rc=$?; kill -9 $P 2>/dev/null; return $rc; }
one_restore() { cp -a $IMG $W/img0; restore "$ASUSER -c $1" "$CHECK" --unprivileged > $W/check; local rc=$?; return $rc; }
for f in $FEATURES; do
	echo "== $f"
	need=
	if one_dump $BASE; then echo "  dump: base"; else
		errors dump.log
		for c in $CAND; do one_dump $BASE,$c && { need=,$c; break; }; done
		[ -z "$need" ] && one_dump $(without $ALL setuid) && need=ALL
		echo "  dump needs +${need:-NOTHING HELPS}"
		[ -z "$need" ] && continue
	fi
	d=$BASE$need; [ "$need" = ALL ] && d=$(without $ALL setuid)
	r=
	for c in "" setpcap $CAND; do
		one_dump $d; b=$BASE,setpcap,$c
		if one_restore ${b%,}; then r="base+setpcap $c"; break; fi
		[ -z "$c" ] && errors restore.log
	done
	[ -z "$r" ] && one_dump $d && one_restore $(without $ALL setuid) && r="ALL but setuid"
	[ -z "$r" ] && errors restore.log
	echo "  restore: ${r:-NOTHING HELPS}  $(cat $W/check)"; diff /tmp/before $W/after | sed 's/^/      attr /'
done
