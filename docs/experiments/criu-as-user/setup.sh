#!/bin/bash
# setup.sh: users, programs, the root-denying /home, an ordinary home on /local (a disk file system; overlayfs lacks file handles).
# Root inside a private node (own mount, pid, net, ipc namespaces; scripts create files in /local, /home, /root, /tmp) with
# criu 4.2.1, python3-pycriu, gcc, libcap-dev, libfuse3-dev, fuse3, /dev/fuse (mode 666), no descriptors above 2 open.
# CAP_SYS_RESOURCE missing? Then SHIM=/path/to/a/preload/that/answers/prlimit64/reads for the modes "root" and "plugin".
set -e
cd "$(dirname "$0")"; B=/root/b; mkdir -p $B /root/p /local /home
gcc -O1 -o $B/rootsquash rootsquash.c $(pkg-config --cflags --libs fuse3)
gcc -O1 -o $B/asuser asuser.c -lcap
gcc -O1 -o $B/target target.c
gcc -O1 -pthread -w -o $B/feat feat.c
gcc -O1 -o $B/showcreds showcreds.c
gcc -shared -fPIC -O1 -o /root/p/fsuser.so fsuser-plugin.c -lcap
chmod 755 /root $B; chmod 711 /local
getent group proj >/dev/null || groupadd -g 3001 proj
id alice >/dev/null 2>&1 || { groupadd -g 2001 alice; useradd -u 2001 -g 2001 -G proj -M -d /home/alice alice; }
grep -q ' /mnt/own ' /proc/mounts || { mkdir -p /mnt/own; chown alice:alice /mnt/own; }
mkdir -p /local/export/alice /local/alice /local/own
chown alice:alice /local/export/alice /local/alice /local/own; chmod 700 /local/export/alice /local/alice /local/own
grep -q ' /home ' /proc/mounts || $B/rootsquash /local/export /home
AL="setpriv --reuid 2001 --regid 2001 --groups 2001,3001"
grep -q ' /mnt/own ' /proc/mounts || $AL $B/rootsquash /local/own /mnt/own owner     # second model: alice's own FUSE mount, no allow_other
for d in /home/alice /local/alice /mnt/own; do
	for f in target feat; do $AL sh -c "rm -f $d/$f; cat > $d/$f; chmod 700 $d/$f" < $B/$f; done
	$AL sh -c "cat > $d/tree.sh; chmod 700 $d/tree.sh" < tree.sh
done
echo "root:";  for c in "ls /home/alice" "cat /home/alice/feat" "touch /home/alice/x" "stat /mnt/own"; do $c >/dev/null 2>/tmp/e || echo "  $c: $(sed 's/.*: //' /tmp/e)"; done
echo "alice:"; $AL ls -l /home/alice | sed 's/^/  /'
