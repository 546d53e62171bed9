# SPDX-License-Identifier: GPL-2.0-or-later
"""Out of memory, on a cluster where Slurm limits memory (cgroup v1): the checkpoints are kept, the job is not restored into the same
limit, and with more memory it goes on from where it was."""

from lib import *

NEED = 250  # MiB
LIMIT = 150
SCRIPT = f"""#!/bin/bash
/shared/programs/grow.py {NEED}
status=$?
echo "status $status"
exit $((status == 0 ? 0 : 3))
"""
RAN_OUT = rf"^the job ran out of memory \(limit {LIMIT} MiB\), generation 1 is kept; .* `scontrol update JobId=\d+ MinMemoryNode={2 * LIMIT}`.*\[CKPT-701\]$"


class OutOfMemory(SystemTest):
    @classmethod
    def setUpClass(cls):
        if not memory_is_limited():
            raise unittest.SkipTest("this machine has no memory hierarchy of cgroup v1")
        cls.raised, cls.tried = [submit(SCRIPT, f"--mem={LIMIT}", "--checkpoint-interval=none", node="n1", name=name)
                                 for name in ("raised", "tried")]
        for job in (cls.raised, cls.tried):
            job.wait_output("ready")
            cluster.run("n1", "sckpt", "create", job.id, user="alice")
            job.path("grow").touch()
        cls.first = wait_all([cls.raised, cls.tried])
        cls.first_lines = [complaints(job.output()) for job in (cls.raised, cls.tried)]
        cls.kept = [[entry["generation"] for entry in generations(job)] for job in (cls.raised, cls.tried)]
        for job in (cls.raised, cls.tried):
            job.as_user("scontrol", "requeue", job.name)
        cls.held = [held(job) for job in (cls.raised, cls.tried)]
        cls.tried.as_user("scontrol", "release", cls.tried.name)
        cls.raised.as_user("scontrol", "update", f"JobId={cls.raised.name}", f"MinMemoryNode={2 * NEED}")
        cls.raised.as_user("scontrol", "release", cls.raised.name)

    def test_the_end_is_no_completion(self):
        self.assertEqual(self.kept, [[1], [1]])
        for info, lines in zip(self.first, self.first_lines):
            self.assertEqual(info["JobState"], "OUT_OF_MEMORY")
            self.assertEqual(len(lines), 1, lines)
            self.assertRegex(lines[0], RAN_OUT)

    def test_not_restored_into_the_same_limit(self):
        for info in self.held:
            self.assertRegex(info["AdminComment"], rf"ran out of memory at its limit of {LIMIT} MiB .*MinMemoryNode to {2 * LIMIT} .*scontrol release")

    def test_goes_on_with_more(self):
        """Restored, it is in the new step's memory cgroup: what it takes then is counted there, and ends below the new limit."""
        job = self.raised
        job.wait_output("grown")
        node = job.info()["BatchHost"]
        directory = f"/sys/fs/cgroup/memory/slurm_{node}/uid_2001/job_{job.id}/step_batch"
        limit, usage = (int(cluster.read(node, f"{directory}/{file}")) for file in
                        ("memory.limit_in_bytes", "task_0/memory.usage_in_bytes"))
        self.assertEqual(limit, 2 * NEED << 20)
        self.assertGreater(usage, NEED << 20)
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["ready", "grown", f"held {NEED} MiB", "status 0"])
        self.assertIn("checkpoint: restored generation 1 ", job.output())
        assert_clean(job)

    def test_released_as_it_is(self):
        """Once more, since somebody wants it; the limit is that of the new step, and it is held again afterwards."""
        job = self.tried
        job.wait_output("checkpoint: restored generation 1 ")
        self.assertEqual(end(job)["JobState"], "OUT_OF_MEMORY")
        self.assertEqual(application_lines(job.output()).count("grown"), 0)
        self.assertRegex(complaints(job.output())[-1], RAN_OUT)
        job.as_user("scontrol", "requeue", job.name)
        self.assertIn("ran out of memory", held(job)["AdminComment"])
        job.as_user("scancel", job.name)
        assert_clean(job)


def held(job):
    return job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0" and "AdminComment" in info)


main()
