# SPDX-License-Identifier: GPL-2.0-or-later
"""The first checkpoint of a job is its verdict: what would not restore is said then, not when the job should go on from it."""

from lib import *

SEALED = "#!/bin/bash\nexec /shared/programs/sealed_file.py close\n"
PLAIN = """#!/bin/bash
. /shared/programs/gate.sh
count line 1 20
gate end
echo "the end"
"""


def create(job):
    return cluster.attempt("n1", "sckpt", "create", job.id, user=job.user)


class Probe(SystemTest):
    def test_what_would_not_restore_is_said_at_once(self):
        job = submit(SEALED, "--checkpoint", "--checkpoint-interval=none", node="n1", name="sealed")
        job.wait_output("line 5\n")
        reason = r"the checkpoint would not restore: /home/alice/\S+/sealed, which the job has open, could not be opened again to write it"
        with self.subTest("to who asks"):
            done = create(job)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"{reason}: its mode is 0400; .* \[CKPT-403\]\n$")
        with self.subTest("in the job's output and comment"):
            job.wait_output("would not restore")
            self.assert_one_complaint(job, rf"^{reason}.*the job runs on$")
            job.wait_info("says so", lambda info: "would not restore" in info.get("AdminComment", ""))
        self.assertEqual(generations(job), [])
        with self.subTest("and is over when its cause is"):
            job.path("close").touch()
            job.wait_output("closed")
            self.assertEqual(create(job).returncode, 0)
            job.wait_output("; the job can be restored")
            requeue(job, to="n2")
            job.wait_output("restored generation")
        job.path("end").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 41)), "closed", "the end"])
        self.assertEqual(job.path("sealed").read_text(), "".join(f"record {i}\n" for i in range(1, 41)))
        assert_clean(job)

    def test_the_verdict_is_given_once(self):
        job = submit(PLAIN, "--checkpoint", "--checkpoint-interval=none", node="n1", name="plain")
        job.wait_output("line 5\n")
        for _ in range(2):
            self.assertEqual(create(job).returncode, 0)
        job.wait_output("generation 2 saved")
        requeue(job, to="n2")
        job.wait_output("restored generation")
        self.assertEqual(cluster.attempt("n2", "sckpt", "create", job.id, user=job.user).returncode, 0)
        wait_for("it is saved again", lambda: len([line for line in product_lines(job.output()) if " saved, " in line]) == 4)
        verdicts = [line for line in product_lines(job.output()) if line.endswith("; the job can be restored")]
        self.assertEqual(len(verdicts), 1)
        self.assertRegex(verdicts[0], r"^generation 1 saved, ")
        job.path("end").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [*(f"line {i}" for i in range(1, 21)), "the end"])
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)


main()
