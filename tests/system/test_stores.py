# SPDX-License-Identifier: GPL-2.0-or-later
"""Array elements and a job that a job submits each have checkpoints of their own: all share the environment they were submitted
with, and none is restored from another's."""

from lib import *
from lib.jobs import parse
from lib.store import directory_of

COUNT = """#!/bin/bash
#SBATCH --checkpoint
. /shared/programs/gate.sh
count "$WHO$SLURM_ARRAY_TASK_ID line" 1 60
gate go
"""
NESTED = COUNT.replace("$WHO", "nested")
OUTER = COUNT.replace("$WHO", "outer").replace("count", f"""sbatch --parsable --nodelist=n1 --output=nested.out >nested.id <<'END'
{NESTED}END
count""", 1)


def expected(who):
    return [f"{who} line {i}" for i in range(1, 61)]


class Stores(SystemTest):
    def test_array_elements_and_a_nested_job(self):
        array = submit(COUNT.replace("$WHO", "element "), "--array=0-1", output="/home/alice/stores/element-%a.out", name="array")
        elements = [self.element(array, i) for i in (0, 1)]
        outer = submit(OUTER, name="outer")
        outer.wait_file("nested.id")
        nested = Job(outer.path("nested.id").read_text().strip(), outer.directory, f"{outer.directory}/nested.out", "alice")
        jobs = [*elements, outer, nested]
        for job in jobs:
            job.wait_output("line 20")
        requeue(*jobs, to="n2")
        for job in jobs:
            job.wait_output("restored generation 1")
        stores = {job.id: self.store_of(job) for job in jobs}
        for job in jobs:
            job.path("go").touch()
        for info in wait_all(jobs):
            self.assert_ended(info)
        self.assertEqual(len({job.id for job in jobs}), 4)
        self.assertEqual(len(set(stores.values())), 4, stores)
        for job, who in zip(jobs, ("element 0", "element 1", "outer", "nested")):
            self.assertEqual(application_lines(job.output()), expected(who))
        assert_clean(*jobs)

    def element(self, array, index):
        """Until it starts it shares the array's record in slurmctld and has no number of its own."""
        name = f"{array.id}_{index}"

        def started():
            info = parse(cluster.attempt("ctl", "scontrol", "--oneliner", "show", "job", name).stdout)
            return info if info.get("JobState") == "RUNNING" else None

        return Job(wait_for(f"{name} runs", started)["JobId"], array.directory, f"/home/alice/stores/element-{index}.out", "alice", name)

    def store_of(self, job):
        return directory_of(job).name


main()
