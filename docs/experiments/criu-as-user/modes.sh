# MODE -> PD, PR = prefix of criu for dump and restore, OPT = options, IMGOWNER. SHIM: only where CAP_SYS_RESOURCE is missing
CAPS=checkpoint_restore,setpcap,net_admin,dac_read_search,sys_ptrace,sys_admin,dac_override,setgid
S=${SHIM:+LD_PRELOAD=$SHIM}
case $MODE in
user)   PD="$ASUSER -c $CAPS" PR=$PD OPT=--unprivileged IMGOWNER=alice ;;
plugin) PD="env $S AS_USER=2001:2001:2001,3001 AS_USER_KEEP=1" PR=$PD OPT="--libdir ${PLUGINS:-/root/p}" IMGOWNER=root ;;
root)   PD="env $S" PR= OPT= IMGOWNER=root ;;
esac
