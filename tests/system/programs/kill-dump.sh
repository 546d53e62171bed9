#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill-dump.sh DIRECTORY: kills the next CRIU that has begun to write memory pages below DIRECTORY, while it writes. Run as root.
shopt -s globstar nullglob
while :; do
    for pages in "$1"/**/pages-*.img; do
        [[ -s $pages ]] && pkill -KILL criu && echo killed && exit
    done
done
