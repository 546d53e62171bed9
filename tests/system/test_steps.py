# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts with srun: checkpointed as one whole, in the middle of a step and between steps, and restored on the other node. Output of
every task and of the script is what it is undisturbed."""

import os
import random

from lib import *

SEED = int(os.environ.get("CKPT_SEED", "5"))
TASK = "bash -c '. /shared/programs/gate.sh; count \"task $SLURM_PROCID line\" 1 60; gate go; echo \"task $SLURM_PROCID ends\"; exit $((3 + SLURM_PROCID))'"
MIDDLE = f"""#!/bin/bash
x=5
srun --ntasks=2 {TASK}
echo "status $? x $x"
"""
PIPELINE = f"""#!/bin/bash
. /shared/programs/gate.sh
for i in 1 2 3; do
    x=$((x + i))
    srun --ntasks=1 bash -c '. /shared/programs/gate.sh; count "round '$i' line" 1 40' | tee -a copy | sed "s/^/x=$x /"
    echo "status ${{PIPESTATUS[0]}} x $x"
    gate go$i
done
"""
BACKGROUND = f"""#!/bin/bash
. /shared/programs/gate.sh
srun --ntasks=1 --overlap --exact bash -c '. /shared/programs/gate.sh; count long 1 60; gate go; exit 3' >long.out &
a=$!
srun --ntasks=1 --overlap --exact bash -c 'echo short; exit 4' >short.out &
b=$!
wait $b
echo "short ended with $?"
touch short-over
wait $a
echo "long ended with $?"
"""
FILES = """#!/bin/bash
. /shared/programs/gate.sh
echo before >one.out
srun --ntasks=1 --overlap -o one.out bash -c '. /shared/programs/gate.sh; count one 1 60; gate go; echo end' &
srun --ntasks=2 --overlap -o each-%t.out bash -c '. /shared/programs/gate.sh; count each 1 60; gate go; echo "end $SLURM_PROCID"' &
wait
echo "all over"
"""
INPUT = """#!/bin/bash
. /shared/programs/gate.sh
seq 1 20000 | srun --ntasks=1 bash -c 'while read -r n; do echo "got $n"; [ "$n" -lt 30 ] && sleep 0.05; done' >got
echo "status $?"
wc -l <got
gate go
"""
LOOP = """#!/bin/bash
total=0
for i in $(seq 1 30); do
    total=$((total + i))
    srun --ntasks=1 bash -c "echo round $i total $total; sleep 0.2; echo end of $i" | tee -a copy
    echo "status ${PIPESTATUS[0]} total $total"
done
"""


def one_line_each(lines, prefix):
    return [line for line in lines if line.startswith(prefix)]


class Steps(SystemTest):
    def run_pair(self, script, *options, name):
        """The same script without us, to the end, and with us."""
        return (submit(script, *options, node="n2", name=f"{name}-reference"),
                submit(script, "--checkpoint", *options, node="n1", name=name))

    def assert_like(self, job, reference, sort=False):
        mine, theirs = (sorted(application_lines(one.output())) if sort else application_lines(one.output()) for one in (job, reference))
        self.assertEqual(mine, theirs)
        self.assertEqual(complaints(job.output()), [])

    def test_in_the_middle_of_a_step(self):
        reference, job = self.run_pair(MIDDLE, "--ntasks=2", name="middle")
        job.wait_output("task 0 line 10\n")
        job.wait_output("task 1 line 10\n")
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        for one in (job, reference):
            one.path("go").touch()
        self.assert_ended(end(reference))
        info = end(job)
        self.assert_ended(info)
        self.assertEqual((info["Restarts"], info["BatchHost"]), ("1", "n2"))
        self.assert_like(job, reference, sort=True)
        for task in (0, 1):
            lines = one_line_each(application_lines(job.output()), f"task {task} ")
            self.assertEqual(lines, [*(f"task {task} line {i}" for i in range(1, 61)), f"task {task} ends"])
        assert_clean(job, reference)

    def test_in_pipelines_three_times(self):
        reference, job = self.run_pair(PIPELINE, name="pipeline")
        for part, node in enumerate(("n2", "n1", "n2"), start=1):
            job.wait_output(f"round {part} line 15\n")
            requeue(job, to=node)
            wait_restored(job, part)
            for one in (job, reference):
                one.path(f"go{part}").touch()
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assert_like(job, reference)
        self.assertEqual(job.path("copy").read_bytes(), reference.path("copy").read_bytes())
        assert_clean(job, reference)

    def test_one_in_the_background_and_one_that_has_ended(self):
        reference, job = self.run_pair(BACKGROUND, "--ntasks=2", name="background")
        job.wait_file("short-over", lines=0)
        job.wait_file("long.out", lines=10)
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        for one in (job, reference):
            one.path("go").touch()
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assert_like(job, reference)
        for name in ("long.out", "short.out"):
            self.assertEqual(job.path(name).read_bytes(), reference.path(name).read_bytes())
        assert_clean(job, reference)

    def test_files_that_srun_and_slurmstepd_write(self):
        reference, job = self.run_pair(FILES, "--ntasks=2", name="files")
        for name in ("one.out", "each-0.out", "each-1.out"):
            job.wait_file(name, lines=10)
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        for one in (job, reference):
            one.path("go").touch()
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assert_like(job, reference)
        for name in ("one.out", "each-0.out", "each-1.out"):
            self.assertEqual(*(application_lines(one.path(name).read_text()) for one in (job, reference)), name)
        assert_clean(job, reference)

    def test_input_on_its_way(self):
        reference, job = self.run_pair(INPUT, name="input")
        job.wait_file("got", lines=10)
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        for one in (job, reference):
            one.path("go").touch()
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assert_like(job, reference)
        self.assertEqual(job.path("got").read_bytes(), reference.path("got").read_bytes())
        assert_clean(job, reference)

    def test_thirty_in_a_loop_at_random_moments(self):
        print(f"seed {SEED}", flush=True)
        moments = random.Random(SEED)
        reference, job = self.run_pair(LOOP, name="loop")
        rounds = sorted(moments.sample(range(2, 29), 3))
        for part, (node, number) in enumerate(zip(("n2", "n1", "n2"), rounds), start=1):
            text = moments.choice((f"round {number} total", f"end of {number}\n", f"total {number * (number + 1) // 2}\n"))
            print(f"{job}: requeued at {text!r}", flush=True)
            job.wait_output(text)
            requeue(job, to=node)
            wait_restored(job, part)
        self.assert_ended(end(reference))
        self.assert_ended(end(job))
        self.assert_like(job, reference)
        self.assertEqual(job.path("copy").read_bytes(), reference.path("copy").read_bytes())
        assert_clean(job, reference)

    def test_cancel_ends_everything(self):
        job = submit(MIDDLE, "--checkpoint", "--ntasks=2", node="n1", name="cancelled")
        job.wait_output("task 0 line 10\n")
        job.as_user("scancel", job.id)
        self.assertEqual(end(job)["JobState"], "CANCELLED")
        assert_clean(job)


main()
