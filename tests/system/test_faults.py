# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that die of a fault of their own: the checkpoints are kept, a requeue goes on from the last one, and what dies of the same
fault again after it is held."""

from lib import *

AS_LAST_COMMAND = "#!/bin/bash\nulimit -c 0\n/shared/programs/crash.py\n"
AS_FIRST_PROCESS = "#!/bin/bash\nulimit -c 0\nexec /shared/programs/crash.py\n"
DIED = r"^the program died of SIGSEGV, generation 1 is kept; `scontrol requeue \d+` goes on from there \[CKPT-702\]$"

DIED_AGAIN = DIED.replace("goes on from there", r"holds it, `scontrol release \d+` then tries again from there")


class Faults(SystemTest):
    def crashed(self, script, name):
        """A job that has been saved once and has died."""
        job = submit(script, "--checkpoint-interval=none", node="n1", name=name)
        job.wait_output("ready")
        cluster.run("n1", "sckpt", "create", job.id, user="alice")
        job.path("crash").touch()
        return job

    def test_faults(self):
        last, first = self.crashed(AS_LAST_COMMAND, "last"), self.crashed(AS_FIRST_PROCESS, "first")
        self.assert_ended(end(last), "FAILED", "139:0")
        self.assert_ended(end(first), "FAILED", "0:11")
        for job in (last, first):
            self.assert_one_complaint(job, DIED)
            self.assertEqual([entry["generation"] for entry in generations(job)], [1])
        first.path("crash").unlink()
        first.path("go").touch()  # mended
        for job in (last, first):
            job.as_user("scontrol", "requeue", job.name)
        self.again(last)
        self.mended(first)
        last.path("crash").unlink()
        last.path("go").touch()
        last.as_user("scontrol", "release", last.name)
        self.mended(last)
        assert_clean(last, first)

    def again(self, job):
        """It dies of the same fault once more: it is not restored a second time."""
        job.wait_info("crashes again", lambda info: info["Restarts"] == "1" and info["JobState"] == "FAILED")
        self.assertIn("checkpoint: restored generation 1 ", job.output())
        self.assertRegex(complaints(job.output())[-1], DIED_AGAIN)
        job.as_user("scontrol", "requeue", job.name)
        held = job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0" and "AdminComment" in info)
        self.assertIn("the program died of SIGSEGV again after generation 1", held["AdminComment"])
        self.assertIn(f"`scontrol release {job.id}` tries again", held["AdminComment"])

    def mended(self, job):
        job.wait_output("done")
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["ready", "done"])
        self.assertEqual(generations(job), [])


main()
