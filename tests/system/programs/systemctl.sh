#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Nodes have no systemd: in the place of systemctl this does for ckptd what the maintainer scripts of the packages and an admin ask
# of it, as ckptd.service says (KillMode=process), and notes what that was.
words=
now=
for word in "$@"; do
    case $word in
    --now) now=yes ;;
    -*) ;;
    *) words="$words $word" ;;
    esac
done
echo "${words# }" >>/var/log/systemctl.log
# shellcheck disable=SC2086
set -- $words

daemon() { pgrep --exact ckptd; }

stop() {
    for pid in $(daemon); do
        kill -TERM "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    done
}

# The unit's cgroup, where the cluster looks for it too. Nothing of dpkg's stays open in it.
start() {
    [ -z "$(daemon)" ] || return 0
    mkdir -p /sys/fs/cgroup/system.slice/ckptd.service
    setsid sh -c 'echo 0 >/sys/fs/cgroup/system.slice/ckptd.service/cgroup.procs && cd / && exec env -i PATH=/usr/sbin:/usr/bin \
        /usr/sbin/ckptd </dev/null >>/var/log/ckptd.log 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-' &
    until [ -S /run/ckptd/ckptd.sock ]; do sleep 0.05; done
}

case $1 in
is-active) [ -n "$(daemon)" ] ;;
is-enabled | enable)
    /usr/bin/systemctl --root=/ "$@"
    status=$?
    [ -z "$now" ] || start
    exit $status
    ;;
start) start ;;
stop) stop ;;
restart) stop && start ;;
daemon-reload) ;;
*) echo "systemctl: not known here: $*" >&2 && exit 1 ;;
esac
