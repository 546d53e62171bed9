#!/bin/bash
# forged.sh: what stops a restore of altered images? (images are trusted input; this measures the second line of defence)
. "$(dirname "$0")/lib.sh"
DIR=/local/alice; export DIR
printf 'secret\n' > /local/rootfile; chmod 600 /local/rootfile
edit() { python3 - "$@" <<'E'
import sys, os, pycriu, glob
img, what = sys.argv[1:3]
def change(name, f):
    p = glob.glob(os.path.join(img, name))[0]
    with open(p, "rb") as h: d = pycriu.images.load(h)
    f(d["entries"])
    with open(p, "wb") as h: pycriu.images.dump(d, h)
def creds(**kw):
    change("core-*.img", lambda e: e[0]["thread_core"]["creds"].update(kw))
if what == "uid0": creds(uid=0, euid=0, suid=0, fsuid=0)
if what == "uid2002": creds(uid=2002, euid=2002, suid=2002, fsuid=2002)
if what == "gid0": creds(gid=0, egid=0, sgid=0, fsgid=0)
if what == "groups": creds(groups=[0, 3001])
if what == "capall": creds(cap_prm=[0xfeffffff, 0x1ff], cap_eff=[0xfeffffff, 0x1ff])
if what == "caphad": creds(cap_prm=[0x100, 0x100], cap_eff=[0x100, 0x100])   # setpcap + checkpoint_restore
if what == "file":
    def f(es):
        for e in es:
            r = e.get("reg")
            if r and r["name"].endswith("in.txt"): r["name"] = "/local/rootfile"; r["size"] = 7; r["mode"] = 0o100600
    change("files.img", f)
E
}
for caps in checkpoint_restore,setpcap checkpoint_restore,setpcap,setgid,dac_override root; do
	echo "restore with $caps"
	for what in none uid0 uid2002 gid0 groups capall caphad file; do
		start $DIR $DIR/target $DIR; fresh; dump $P "$ASUSER -c checkpoint_restore" --unprivileged; edit $IMG $what
		pre="$ASUSER -c $caps" o=--unprivileged; [ $caps = root ] && pre= o=
		c=$(restore "$pre" 'grep -E "^(Uid|Gid|Groups|CapEff)" /proc/$P/status | tr "\n" " "; ls -l /proc/$P/fd | grep -o "/local/rootfile"' $o); r=$?
		printf '  %-8s rc %s %s\n' $what $r "$c"; [ $r = 0 ] || grep -h Error $IMG/restore.log | grep -v RLIMIT | head -1 | sed 's/^/        /'
	done
done
