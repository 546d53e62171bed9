#!/bin/bash
# A batch-script-like tree in the current directory: pipeline, background job, a second session, here-document, trap.
exec >> tree.log 2>&1
trap 'echo got-usr1' USR1
setsid sh -c 'i=0; while :; do i=$((i+1)); echo "daemon $i" >> daemon.log; sleep 0.2; done' &
( i=0; while :; do i=$((i+1)); echo "$i"; sleep 0.1; done ) | while read -r x; do echo "pipe $x"; done &
n=0
while read -r line <&3; do n=$((n+1)); echo "main $n $line"; sleep 0.2; done 3< <(yes word)
