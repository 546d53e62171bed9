#!/bin/bash
# models.sh: the other root-denying file systems: alice's own FUSE mount (no allow_other); an idmapped mount without uid 0
. "$(dirname "$0")/lib.sh"; H=$(dirname "$(realpath "$0")")
one() { for MODE in root user plugin; do . $H/modes.sh; start $DIR $DIR/feat $1 $DIR; fresh; dump $P "$PD" $OPT; echo "$DIR $1 $MODE: dump rc $?"; errors dump.log 3 | grep -v RLIM; kill -9 $P 2>/dev/null
	[ -e $IMG/inventory.img ] && { restore "$PR" 'true' $OPT; echo "$DIR $1 $MODE: restore rc $?"; errors restore.log 3 | grep -v RLIM; }; alice sh -c "rm -f $DIR/link_remap*"; done; }
DIR=/mnt/own; one plain
echo "image dumped in mode user, restored in mode plugin:"; MODE=user; . $H/modes.sh; start $DIR $DIR/feat plain $DIR; fresh; dump $P "$PD" $OPT; MODE=plugin; . $H/modes.sh
restore "$PR" true $OPT; echo "  rc $?"; errors restore.log 3 | grep -v RLIM
mkdir -p /local/idsrc/home /mnt/idm; chown 2001:2001 /local/idsrc/home; chmod 700 /local/idsrc/home; echo hi > /local/idsrc/home/f; chown 2001:2001 /local/idsrc/home/f; chmod 600 /local/idsrc/home/f
mount -o bind,X-mount.idmap="u:1:1:60000 g:1:1:60000" /local/idsrc /mnt/idm
cd /mnt/idm/home; cat f; echo x >> f && echo "root appends"; touch new; cd /; DIR=/mnt/idm/home; alice sh -c "cat > $DIR/feat; chmod 700 $DIR/feat" < $B/feat
for f in plain ghost linkremap; do one $f; done; umount /mnt/idm
