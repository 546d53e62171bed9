#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill-dump.sh DIRECTORY: kills the next CRIU that is writing memory pages below DIRECTORY. Run as root.
shopt -s globstar nullglob
while :; do
    for pages in "$1"/**/pages-*.img; do
        [[ -s $pages ]] && pkill -KILL criu && echo killed && exit
    done
done
