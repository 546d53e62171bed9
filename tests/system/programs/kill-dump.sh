#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill-dump.sh DIRECTORY: kills the next CRIU that is writing memory pages below DIRECTORY: more than 10 MiB, so that it is the
# job's large process that is being written. What a kill does before and after that: docs/experiments/criu-killed.md. Run as root.
shopt -s globstar nullglob
while :; do
    for pages in "$1"/**/pages-*.img; do
        (($(stat -c %s "$pages" 2>/dev/null || echo 0) > 10 << 20)) && pkill -KILL criu && echo killed && exit
    done
done
