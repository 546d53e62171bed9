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

    def test_an_interval_of_its_own(self):
        """While it runs; the rest of the job has none."""
        script = "#!/bin/bash\n. /shared/programs/gate.sh\nsrun --checkpoint-interval=1s --ntasks=1 bash -c '. /shared/programs/gate.sh; gate go; exit 3'\necho \"status $?\"\n"
        job = submit(script, "--checkpoint-interval=none", node="n1", name="interval")
        job.wait_output("generation 2 saved")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["status 3"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def test_in_a_job_without_checkpoints_it_has_none_and_says_so(self):
        script = "#!/bin/bash\nsrun --checkpoint-interval=1s --ntasks=1 sh -c 'echo done; exit 3'\necho \"status $?\"\n"
        job = submit(script, node="n1", name="plain")
        self.assert_ended(end(job))
        ours = [line for line in job.output().splitlines() if "checkpoint: " in line]
        self.assertEqual([line.partition("checkpoint: ")[2] for line in ours],
                         ["a step is checkpointed with its script or its allocation; this one runs without checkpoints; use sbatch --checkpoint, or srun in salloc --checkpoint [CKPT-102]"])
        self.assertEqual([line for line in job.output().splitlines() if line not in ours and not line.startswith("srun: ")], ["done", "status 3"])

    def test_tasks_that_share_memory(self):
        """Each is restored by itself: there is no checkpoint while they share it, and the job says so and runs on."""
        for kind in ("named", "nameless"):
            with self.subTest(kind):
                script = ("#!/bin/bash\nsrun --ntasks=2 /shared/programs/pingpong.py /dev/shm/pingpong-$SLURM_JOB_ID 200 "
                          f"{kind}\necho \"status $?\"\n. /shared/programs/gate.sh\ngate go\n")
                job = submit(script, "--checkpoint-interval=1s", "--ntasks=2", node="n1", name=kind)
                job.wait_output("status 0")
                job.wait_output(" saved,")
                job.path("go").touch()
                self.assert_ended(end(job))
                for task in (0, 1):
                    self.assertEqual([line for line in job.output().splitlines() if line.startswith(f"task {task} ")],
                                     [f"task {task} round {i}" for i in range(10, 201, 10)])
                self.assert_one_complaint(job, "^tasks of the job share memory, .*CKPT-403")
                assert_clean(job)


main()
