# SPDX-License-Identifier: GPL-2.0-or-later
"""Array elements and a job that a job submits each have checkpoints of their own: all share the environment they were submitted
with, and none is restored from another's."""

import shutil

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

    def test_a_store_that_lacks_the_job_is_not_taken_for_an_empty_one(self):
        """As one that is not mounted would: the job is held, and goes on once its checkpoints are there again."""
        job = submit(COUNT.replace("$WHO", "lost"), "--checkpoint-interval=none", name="lost")
        job.wait_output("line 20")
        cluster.run("n1", "sckpt", "create", job.id, user=job.user)
        job.wait_info("is commented on", lambda info: "generation 1 saved" in info.get("AdminComment", ""))
        requeue(job, to="n2", hold=True)
        job.wait_output("generation 2 saved")
        store = directory_of(job)
        away = store.with_name("away")
        store.rename(away)
        job.as_user("scontrol", "release", job.id)
        held = job.wait_info("is held", lambda info: info["Priority"] == "0" and "nothing of this job" in info.get("AdminComment", ""))
        self.assertIn("generation 1 saved", held["AdminComment"])
        shutil.rmtree(store)
        away.rename(store)
        job.as_user("scontrol", "release", job.id)
        job.wait_output("restored generation 2")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), expected("lost"))
        assert_clean(job)

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
