# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts with srun behave in a job with checkpoints as they do in one without: each way of using it runs in a job of either kind, and
prints the same."""

import re

from lib import *

PREAMBLE = """#!/bin/bash
#SBATCH --ntasks=2 --overcommit --time=5
mkdir ways; cd ways
one="srun --overlap --ntasks=1"
# until what srun has passed on contains a word
until_in() { until grep -q "$1" "$2" 2>/dev/null; do sleep 0.05; done; }
"""

# What is done and printed: status of srun, and what it and its task have written.
WAYS = {
    "pipeline": "$one seq 1 20000 | tee copy | md5sum; echo ${PIPESTATUS[*]}; md5sum <copy",
    "pipeline_in_front": "seq 1 20000 | $one md5sum; echo ${PIPESTATUS[*]}",
    "here_document": "$one cat <<EOF\nfirst\nsecond\nEOF",
    "redirection": "$one sh -c 'echo out; echo err >&2' >out 2>err; cat out err",
    "append": "echo before >out; $one echo after >>out; cat out",
    "both_in_one": "$one sh -c 'echo out; echo err >&2' 2>&1 | sort",
    "error_only": "$one sh -c 'echo out; echo err >&2' 2>&1 >/dev/null | sed 's/^/got /'",
    "closed_output": "$one true >&-; echo $?",
    "input_option": "seq 1 5000 >in; $one --input=in md5sum; $one -i in sh -c 'wc -l'; echo $?",
    "input_none": "printf 'a\\nb\\n' | { $one --input=none cat; cat; }",
    "input_of_one_task": "echo hello | srun --overlap -n2 --input=1 cat",
    "input_missing": "$one --input=no-such-file cat; echo $?",
    "output_per_task": "srun --overlap -n2 -o file-%t sh -c 'echo $SLURM_PROCID'; cat file-0 file-1",
    "output_option": "$one -o file sh -c 'echo first; echo second'; $one --open-mode=append -o file echo third; cat file",
    "label": "srun --overlap -n2 --label sh -c 'echo out; echo err >&2' 2>&1 | sort",
    "unbuffered": "$one -u printf 'no newline'; echo; echo $?",
    "half_line": "$one printf 'no newline'; echo; echo $?",
    "exit_status": "$one sh -c 'exit 7'; echo $?; $one true && echo yes; $one false || echo no",
    "death_by_signal": "$one sh -c 'kill -9 $$'; echo $?",
    "interrupted": "$one sh -c 'echo started; until [ -e go ]; do sleep 0.05; done; exit 3' >out & until_in started out; kill -INT $!; sleep 1; touch go; wait $!; echo $?",
    "terminated": "$one sh -c 'echo started; exec sleep 60' >out & until_in started out; kill -TERM $!; wait $!; echo $?",
    "signal_passed_on": "$one bash -c 'trap \"echo usr1; exit 6\" USR1; echo started; while :; do sleep 0.05; done' >out & until_in started out; kill -USR1 $!; wait $!; echo $?; cat out",
    "signal_from_slurm": "$one bash -c 'trap \"echo usr2; exit 5\" USR2; echo started; while :; do sleep 0.05; done' >out & until_in started out; scancel --signal=USR2 $SLURM_JOB_ID; wait $!; echo $?; cat out",
    "killed": "$one sh -c 'echo started; until [ -e go ]; do sleep 0.05; done' >out & until_in started out; kill -KILL $!; wait $!; echo $?; touch go",
    "background": "$one sh -c 'sleep 0.2; echo a; exit 3' >a & a=$!; $one sh -c 'echo b; exit 4' >b & b=$!; wait $a; echo $?; wait $b; echo $?; cat a b",
    "loop": "for i in 1 2 3; do $one echo $i; done",
    "function": "f() { local x; x=$($one echo \"$1\"); echo \"<$x>\"; }; f one; f two",
    "at_once": "for i in 1 2 3 4; do $one echo $i & done | sort; wait",
    "exclusive": "srun --exclusive -n1 echo exclusive",
    "multi_program": "printf '0 /bin/echo zero %%t\n1 /bin/echo one\n' >programs; srun --overlap -n2 --multi-prog programs | sort",
    "surroundings": "(ulimit -n 333; umask 027; cd /tmp; X=y $one sh -c 'ulimit -n; umask; pwd; echo $X; echo $SLURM_CHECKPOINT_STEPS$SLURM_CHECKPOINT_STAND_IN; command -v srun')",
    "loop_over_input": "seq 1 3 | while read i; do $one echo $i </dev/null; done",
    "input_left": "seq 1 3 >in; { $one --no-such-option 2>/dev/null; cat; } <in",
    "reader_ends_early": "$one seq 1 1000000 2>/dev/null | head -1",
    "bad_option": "$one --no-such-option true; echo $?",
    "no_such_program": "$one no-such-program; echo $?",
    "not_executable": "echo >file; $one ./file; echo $?",
    "terminal": "srun --overlap -n1 --pty echo terminal </dev/null; echo $?",
    "step_in_step": "$one srun --overlap -n1 echo inner",
    "version": "srun --version; srun --help | head -1",
}


def script(ways):
    parts = [PREAMBLE]
    for name, body in ways.items():
        # Once where srun writes to a file, and once where it writes to a pipe.
        parts += [f"way() {{\n{body}\n}}", f'for into in file pipe; do echo "== {name} $into"; mkdir {name}.$into; cd {name}.$into',
                  "if [ $into = file ]; then (way) >../result 2>&1; else (way) 2>&1 | cat >../result; fi; cat ../result; cd ..; done"]
    return "\n".join([*parts, "echo end", ""])


def results(job):
    """What each way has printed, without what differs from job to job. Srun's own messages come when they come: lines are sorted."""
    of_way, name = {}, None
    for line in application_lines(job.output()):
        if line.startswith("== "):
            name = line
            of_way[name] = []
        elif not line.startswith("srun: Step created"):
            line = re.sub(r"StepId=\d+\.\d+", "StepId=", line).replace(str(job.id), "JOB")
            line = re.sub(r"(line \d+:) +\d+", r"\1 PID", line)  # bash pads it
            of_way[name].append(re.sub(r"\bn[12]\b", "NODE", line))
    return {name: sorted(lines) for name, lines in of_way.items()}


class Native(SystemTest):
    maxDiff = None

    def test_every_way_prints_the_same(self):
        jobs = [submit(script(WAYS), node="n1"), submit(script(WAYS), "--checkpoint", node="n2")]
        infos = wait_all(jobs, 200)
        native, ours = (results(job) for job in jobs)
        self.assertEqual(len(native), 2 * len(WAYS))
        for name, lines in native.items():
            with self.subTest(name):
                self.assertEqual(ours.get(name), lines)
        for info in infos:
            self.assert_ended(info)
        assert_clean(*jobs)


main()
