#!/bin/bash
# tree-run.sh MODE DIR: tree.sh (pipeline, second session, process substitution) dumped, restored, signalled
. "$(dirname "$0")/lib.sh"; MODE=$1 DIR=$2; export DIR; . "$(dirname "$0")/modes.sh"
[ $MODE = user ] && PD="$ASUSER -c checkpoint_restore,setpcap" PR=$PD
alice rm -f $DIR/tree.log $DIR/daemon.log
(cd /; exec setsid $AL sh -c "cd $DIR && exec ./tree.sh" </dev/null >/dev/null 2>&1) &
sleep 1.2; P=$(pgrep -o -f '^/bin/bash ./tree.sh'); fresh; dump $P "$PD" $OPT; echo "$MODE $DIR dump rc $?, $(alice wc -l $DIR/tree.log) lines"; errors dump.log
restore "$PR" 'sleep 1; kill -USR1 $P; sleep .5; ps -o pid,ppid,sid,user,args -C tree.sh,sh,yes --no-headers; alice tail -2 $DIR/tree.log; alice tail -1 $DIR/daemon.log; alice grep got- $DIR/tree.log' $OPT
echo "restore rc $?, $(alice wc -l $DIR/tree.log) lines"; errors restore.log
