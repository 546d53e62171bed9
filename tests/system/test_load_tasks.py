# SPDX-License-Identifier: GPL-2.0-or-later
"""64 tasks of a node are dumped at once: those of one job's step, which are one whole, and those of as many jobs."""

from lib import *
from lib.load import Array, LoadTest, Peak, troubles

COUNT = 64
STEP = f"""#!/bin/bash
#SBATCH --checkpoint-interval=none
srun --ntasks={COUNT} --output=task-%t.out sh -c 'exec /shared/programs/counts "task $SLURM_PROCID line" 30 500 $((SLURM_PROCID % 3))'
echo "the step has ended with $?"
exit 7
"""
JOB = """#!/bin/bash
#SBATCH --checkpoint-interval=none
echo "element $SLURM_ARRAY_TASK_ID"
/shared/programs/counts line 30 500 $((SLURM_ARRAY_TASK_ID % 5))
echo "it has ended with $?"
exit $((SLURM_ARRAY_TASK_ID % 50))
"""


def lines(word):
    return [*(f"{word} {i}" for i in range(1, 31)), f"{word} ends"]


class Tasks(LoadTest):
    def test_of_one_step(self):
        """Twice: of what comes back, too."""
        job = submit(STEP, f"--ntasks={COUNT}")
        outputs = [job.path(f"task-{task}.out") for task in range(COUNT)]
        for at, to in ((3, "n2"), (20, "n1")):
            wait_for(f"all tasks of {job} write line {at}", lambda: all(path.exists() and f" line {at}\n" in path.read_text() for path in outputs),
                     timeout=200, interval=1)
            with Peak() as peak:
                requeue(job, to=to)
                job.wait_output(f" on {to}", timeout=200)
            self.tell(f"{COUNT} tasks are restored on {to}", **peak.most)
        self.tell("generations", **{str(index): line for index, line in enumerate(product_lines(job.output()))})
        job.path("go").touch()
        self.assert_ended(end(job, timeout=120), "FAILED", "7:0")
        self.assertEqual([line.split()[0] for line in product_lines(job.output())], ["generation", "restored"] * 2)
        self.assertEqual(troubles(job.output()), [])
        self.assertEqual([line for line in application_lines(job.output()) if "error" not in line], ["the step has ended with 2"])
        for task, path in enumerate(outputs):
            self.assertEqual(application_lines(path.read_text()), lines(f"task {task} line"))
        assert_clean(job)
        self.assert_same_daemons()

    def test_of_as_many_jobs(self):
        array = Array(JOB, COUNT, node="n1")
        array.wait_outputs("line 3\n")
        with Peak() as peak:
            array.job.as_user("scontrol", "requeue", str(array.id))
            array.wait_outputs("generation 1 saved")
            self.tell(f"{COUNT} jobs are saved", **peak.most)
        array.wait_infos("are requeued", lambda info: info["JobState"] in ("PENDING", "REQUEUED"), timeout=120)
        move = 'for i in $(seq "$2"); do scontrol update "JobId=$1_$i" ReqNodeList=n2 || exit; done'
        array.job.as_user("sh", "-c", move, "sh", array.id, COUNT)
        with Peak() as peak:
            array.wait_outputs("restored generation 1 ")
            self.tell(f"{COUNT} jobs are restored", **peak.most)
        array.job.path("go").touch()
        infos = array.end()
        for index, info in infos.items():
            self.assertEqual((info["ExitCode"], info["Restarts"]), (f"{index % 50}:0", "1"), f"element {index}")
            self.assertEqual(application_lines(array.output(index)),
                             [f"element {index}", *lines("line"), f"it has ended with {index % 5}"], f"element {index}")
            self.assertEqual(troubles(array.output(index)), [], f"element {index}")
        assert_clean(*array.jobs(infos))
        self.assert_same_daemons()


main()
