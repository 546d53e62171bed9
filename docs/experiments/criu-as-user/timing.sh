#!/bin/bash
# timing.sh DIR FEATURE N [MODE...]: wall time of dump and restore, frozen time (stats-dump), median of N. user+kdat = with a kdat cache
. "$(dirname "$0")/lib.sh"
DIR=$1 F=$2 N=$3; shift 3; export DIR
med() { sort -n | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
ms() { echo $((($(date +%s%N) - $1) / 1000000)); }
COMMON=${COMMON/-v4/-v2}
K=/run/ckpt-kdat; rm -rf $K; mkdir -m 1777 $K
for MODE in ${*:-root user user+kdat plugin}; do
	M=$MODE; MODE=${M%+*}; . "$(dirname "$0")/modes.sh"
	[ $M = user+kdat ] && PD="env XDG_RUNTIME_DIR=$K $PD" PR=$PD
	: > /tmp/td; : > /tmp/tf; : > /tmp/tr
	for i in $(seq 0 $N); do
		start $DIR $DIR/feat $F $DIR; [ $F = big ] && sleep 1.5; fresh
		[ $i = 1 ] && { : > /tmp/td; : > /tmp/tf; : > /tmp/tr; [ $M = user+kdat ] && { chown -R root: $K; chmod 755 $K; chmod 644 $K/criu.kdat; }; }
		t=$(date +%s%N); dump $P "$PD" $OPT || { echo "$M dump failed"; errors dump.log; }; ms $t >> /tmp/td
		python3 -c 'import pycriu,sys; print(pycriu.images.load(open(sys.argv[1],"rb"))["entries"][0]["dump"]["frozen_time"]/1000)' $IMG/stats-dump >> /tmp/tf
		kill -9 $P 2>/dev/null
		t=$(date +%s%N); restore "$PR" 'echo $(date +%s%N) > $W/end' $OPT; e=$(cat $W/end); echo $(((e - t) / 1000000 - 400)) >> /tmp/tr
	done
	echo "$F $DIR $M: dump $(med < /tmp/td) ms (frozen $(med < /tmp/tf) ms), restore incl. namespaces $(med < /tmp/tr) ms"
done
