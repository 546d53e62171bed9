# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts with srun in kinds of jobs: elements of an array, each by itself, and as many tasks as the job has."""

from lib import *

ARRAY = """#!/bin/bash
srun --ntasks=2 bash -c '. /shared/programs/gate.sh; count "element $SLURM_ARRAY_TASK_ID task $SLURM_PROCID line" 1 60; gate go'
echo "element $SLURM_ARRAY_TASK_ID status $?"
"""
PER_NODE = """#!/bin/bash
srun bash -c '. /shared/programs/gate.sh; count "task $SLURM_PROCID of $SLURM_NTASKS line" 1 60; gate go'
echo "status $?"
srun bash -c 'echo "second step, task $SLURM_PROCID of $SLURM_NTASKS"'
"""


def lines_of(who, tasks):
    return [f"{who}{task} line {i}" for task in tasks for i in range(1, 61)]


class StepsKinds(SystemTest):
    def test_elements_of_an_array(self):
        array = submit(ARRAY, "--checkpoint", "--array=1-2", "--ntasks=2", output="/home/alice/steps_kinds/element-%a.out", name="array")
        elements = [array_element(array, i) for i in (1, 2)]
        for element in elements:  # the other one runs on meanwhile
            element.wait_output("task 1 line 10\n")
            requeue(element, to="n2")
            element.wait_output("restored generation 1 ")
        array.path("go").touch()
        for i, info in enumerate(wait_all(elements), start=1):
            self.assert_ended(info)
            self.assertEqual((info["BatchHost"], info["Restarts"]), ("n2", "1"))
            expected = [*lines_of(f"element {i} task ", (0, 1)), f"element {i} status 0"]
            self.assertEqual(sorted(application_lines(elements[i - 1].output())), sorted(expected))
            self.assertEqual(complaints(elements[i - 1].output()), [])
        assert_clean(*elements)

    def test_tasks_per_node(self):
        job = submit(PER_NODE, "--checkpoint", "--nodes=1", "--ntasks-per-node=3", name="per-node")
        job.wait_output("task 2 of 3 line 10\n")
        requeue(job, to="n2")
        job.wait_output("restored generation 1 ")
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual((info["BatchHost"], info["Restarts"]), ("n2", "1"))
        expected = [*(line.replace(" line", " of 3 line") for line in lines_of("task ", range(3))), "status 0",
                    *(f"second step, task {task} of 3" for task in range(3))]
        self.assertEqual(sorted(application_lines(job.output())), sorted(expected))
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)


main()
