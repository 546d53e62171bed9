# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by tests/run and tests/demo: where things are, and how to leave nothing behind.

exec </dev/null # nothing here asks for input, and some machines start us without any

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export SLURM_CHECKPOINT_CACHE=${SLURM_CHECKPOINT_CACHE:-/var/cache/slurm-checkpoint}
# Two checkouts on one machine share the root file system and compiled objects, and nothing else.
checkout=$(printf %s "$source_root" | sha256sum | cut -c1-8)

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

export CKPT_SUITE=${CKPT_SUITE:-trixie}
# on_suite NAME: Debian's release from which nodes are made.
on_suite() {
    [[ $1 =~ ^[a-z]+$ ]] || die "$1 is no release of Debian's"
    CKPT_SUITE=$1
    build_root=$SLURM_CHECKPOINT_CACHE/build/$checkout
    [[ $1 == trixie ]] || build_root+=-$1
}
on_suite "$CKPT_SUITE"

# need PROGRAM PACKAGE...: programs this machine must have, with the Debian packages that hold them.
need() {
    local missing=()
    while (($#)); do
        type -P "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    ((${#missing[@]})) || return 0
    type -P apt-get >/dev/null || die "missing here: ${missing[*]}; there is no apt-get to install them with"
    say "installing ${missing[*]} on this machine"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    "${apt[@]}" update
    "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

cluster() { "$source_root/tests/cluster/cluster" "$@"; }

in_rootfs() { guarded cluster run-in-rootfs --source "$source_root" --build-root "$build_root" -- "$@"; }

# build PRESET [TARGET...]
build() {
    say "building $source_root (the first time: some minutes; what it says: $build_root/log)"
    # shellcheck disable=SC2016
    quietly in_rootfs sh -ec 'preset=$1 && shift && cmake --preset "$preset" && cmake --build --preset "$preset" -- --quiet "$@"' sh "$@"
}

# quietly CMD...: its output is shown only when it fails.
quietly() {
    local log=$build_root/log
    "$@" >"$log" 2>&1 && return
    tail -n 60 "$log" >&2
    die "failed: $*; all of its output: $log"
}

# guarded CMD...: CMD in a process group of its own. An interrupt reaches us at once, wherever CMD is, and `interrupted` below ends
# the whole group; a foreground command would have to end first.
guarded() {
    set -m
    "$@" &
    guarded_pid=$!
    set +m
    local status=0
    wait "$guarded_pid" || status=$?
    guarded_pid=
    return "$status"
}

# on_exit FUNCTION: call it when this script ends, however that happens; a second ^C cannot disturb it.
on_exit() {
    at_exit=$1
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap leave EXIT
}

leave() {
    local status=$?
    trap '' HUP INT TERM
    trap - EXIT
    if [[ ${guarded_pid:-} ]]; then
        kill -TERM -- "-$guarded_pid" 2>/dev/null || true
        wait "$guarded_pid" || true
    fi
    "$at_exit" || true
    exit "$status"
}
