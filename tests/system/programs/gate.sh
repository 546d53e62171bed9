# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by job scripts. gate NAME: wait until the test has made the file NAME in the job's directory, so that a job cannot end
# before it has been requeued, however fast or slow the machine is.
gate() {
    until [[ -e $1 ]]; do sleep 0.05; done
}

# count WORD FIRST LAST: a line each 0.05 s.
count() {
    local i
    for ((i = $2; i <= $3; i++)); do
        echo "$1 $i"
        sleep 0.05
    done
}
