# Common parts; sourced by the others. Run as root inside a private node (own mount, pid, net, ipc namespaces).
# alice = 2001:2001 with supplementary group 3001. /home is the root-denying mount, /local ordinary ext4.
B=${B:-/root/b}; PATH=$B:$PATH
W=${W:-/local/w}; IMG=$W/img; umask 022
ALL=chown,dac_override,dac_read_search,fowner,fsetid,kill,setgid,setuid,setpcap,linux_immutable,net_bind_service,net_broadcast,net_admin,net_raw,ipc_lock,ipc_owner,sys_module,sys_rawio,sys_chroot,sys_ptrace,sys_pacct,sys_admin,sys_boot,sys_nice,sys_time,sys_tty_config,mknod,lease,audit_write,audit_control,setfcap,mac_override,mac_admin,syslog,wake_alarm,block_suspend,audit_read,perfmon,bpf,checkpoint_restore
without() { local l=,$1, c; shift; for c; do l=${l/,$c,/,}; done; l=${l#,}; echo "${l%,}"; }
AL="setpriv --reuid 2001 --regid 2001 --groups 2001,3001"
alice() { $AL "$@"; }
ASUSER="asuser -i 2001:2001:2001 -g 2001 -G 2001,3001"
CRIU=${CRIU:-criu}
COMMON="--manage-cgroups=ignore --tcp-established --file-locks --link-remap -v4"
IMGOWNER=alice

start() { # DIR PROGRAM [ARGS]: starts it as alice, sets P
	alice sh -c 'cd '"$1"' && umask 077 && rm -f out.log data.bin map.bin && echo in > in.txt'
	local d=$1; shift
	${WRAP:-} $AL "$@" </dev/null >/dev/null 2>&1 &
	P=$!; disown; sleep 0.4
}
fresh() { rm -rf $W; mkdir -m 700 $W; mkdir -m 700 $IMG; chown $IMGOWNER: $IMG; chmod 711 /local; }
dump() { # PID "PREFIX" [criu options]: image directory reached by an inherited fd only
	local pid=$1 pre=$2; shift 2
	(umask 077; cd /; exec 9<$IMG; exec timeout 60 $pre $CRIU dump -t $pid -D /proc/self/fd/9 -o dump.log $COMMON --network-lock skip "$@") >$W/dump.out 2>&1
}
errors() { cat $W/${1%.log}.out 2>/dev/null | grep -v 'run id' | head -2 | sed 's/^/      /'; grep -h -E "Error" $IMG/$1 2>/dev/null | head -${2:-2} | sed 's/^/      /'; }
attrs() { # PID: everything visible of its credentials and settings
	local f
	grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|SigCgt|Threads|Umask)' /proc/$1/status
	for f in limits oom_score_adj loginuid sessionid coredump_filter personality timerslack_ns cgroup; do echo "$f: $(cat /proc/$1/$f 2>&1)"; done
	stat -c 'proc dir %u %g' /proc/$1; readlink /proc/$1/{cwd,exe,root}; ps -o sid,pgid,ni,cls,tty --no-headers -p $1
}
export -f alice attrs; export AL
# restore "PREFIX" "CHECK" [criu options]: in a fresh pid + mount namespace; CHECK runs there with P = pid of the root of the tree (as at the dump)
restore() {
	local pre=$1 check=$2; shift 2
	P=$P PRE=$pre CHECK=$check CRIU=$CRIU IMG=$IMG W=$W ARGS="$COMMON $*" unshare -p -m -f --propagation slave ${UNSHARE:-} bash -c '
		mount -t proc proc /proc; echo 60000 > /proc/sys/kernel/ns_last_pid
		(umask 077; cd /; exec 9<$IMG; exec timeout 60 setsid $PRE $CRIU restore -d -D /proc/self/fd/9 -o restore.log $ARGS) >$W/restore.out 2>&1; rc=$?
		if [ $rc = 0 ]; then sleep 0.4; eval "$CHECK"; fi
		exit $rc'
}
