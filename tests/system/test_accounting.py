# SPDX-License-Identifier: GPL-2.0-or-later
"""Slurm's accounting of a job with checkpoints: each of its lives and each of its steps is recorded with what has become of it, as of
a job without."""

from lib import *

# Slurm ends a step a moment before its script. One that went on at once would now and then get to its own end.
THREE_STEPS = """#!/bin/bash
. /shared/programs/gate.sh
for name in first second third; do
    srun --ntasks=1 --job-name=$name bash -c ". /shared/programs/gate.sh; echo $name begins; gate $name"
    status=$?
    gate $name
    echo "$name: $status"
done
"""
FAILURES = """#!/bin/bash
burn() { python3 -c 'import time
while time.process_time() < 1.5: pass'; }
export -f burn
srun --ntasks=1 --job-name=fails bash -c 'burn; exit 3'
srun --ntasks=1 --job-name=crashes bash -c 'ulimit -c 0; kill -SEGV $$'
burn
exit 7
"""


class Row:
    def __init__(self, line):
        job_id, self.name, self.state, self.exit_code, self.elapsed, self.cpu, self.comment = line.split("|", 6)
        self.step = job_id.partition(".")[2]

    def __str__(self):
        return " ".join(filter(None, (self.step, self.name if self.step.isdecimal() else "", self.state, self.exit_code)))

    def cpu_seconds(self):
        *larger, seconds = self.cpu.split(":")
        return float(seconds) + 60 * float(larger[-1])


def rows(job):
    """What sacct knows, once it knows the end of everything; the job itself, its script and its steps, of its first life first."""
    fields = "JobID,JobName,State,ExitCode,Elapsed,TotalCPU,AdminComment"

    def read():
        text = cluster.run("ctl", "sacct", "-D", "-j", job.id, f"--format={fields}", "--parsable2", "--noheader")
        return [Row(line) for line in text.splitlines()]

    def all_over():
        found = read()
        return found and not any(row.state in ("RUNNING", "PENDING") for row in found) and found

    return wait_for(f"the end of {job} is in the accounting", all_over, timeout=30)


def texts(found):
    return [str(row) for row in found]


class Accounting(SystemTest):
    def test_every_life_and_every_step(self):
        ours = submit(THREE_STEPS, "--checkpoint", "--time=10", name="ours")
        requeued = submit(THREE_STEPS, name="requeued")
        limited = submit(THREE_STEPS, "--time=10", name="limited")
        for job in (ours, requeued, limited):
            job.path("first").touch()
            job.wait_output("second begins")
        requeue(ours, requeued, to="n2")
        requeued.as_user("scancel", requeued.id)
        ours.wait_output("restored generation 1 ")
        for job in (ours, limited):
            job.path("second").touch()
            job.wait_output("third begins")
            cluster.run("ctl", "scontrol", "update", f"JobId={job.id}", "EndTime=now+2seconds")
        ours.wait_info("is requeued again", lambda info: info["Restarts"] == "2", timeout=120)
        ours.path("third").touch()  # its new limit is short
        info = end(ours)
        self.assert_ended(info)
        self.assertEqual(application_lines(ours.output()),
                         [line for name in ("first", "second", "third") for line in (f"{name} begins", f"{name}: 0")])
        lives = rows(ours)
        at_its_limit = "REQUEUED 0:0" if slurm_version() < (26, 5) else "TIMEOUT 0:0"
        self.assertEqual(texts(lives), [
            "REQUEUED 0:0", "batch CANCELLED 0:15", "0 first COMPLETED 0:0", "1 second CANCELLED 0:15",
            at_its_limit, "batch CANCELLED 0:15", "0 second COMPLETED 0:0", "1 third CANCELLED 0:15",
            "COMPLETED 0:0", "batch COMPLETED 0:0", "0 third COMPLETED 0:0",
        ])
        for row in lives:
            self.assertRegex(row.elapsed, r"^\d\d:\d\d:\d\d$")
        # Slurm's own record of the same events.
        end(requeued)
        self.assertEqual(texts(rows(requeued))[:4], texts(lives)[:4])
        self.assertEqual(end(limited, timeout=120)["JobState"], "TIMEOUT")
        self.assertEqual(texts(rows(limited))[1], texts(lives)[5])
        self.assertEqual(texts(rows(limited))[-1], "2 third CANCELLED 0:15")
        # The evidence of the restore is in the record of the life it was the beginning of.
        comments = [row.comment for row in lives if not row.step]
        self.assertRegex(comments[1], r"^checkpoint: .* restored generation 1 ")
        self.assertRegex(comments[2], r"^checkpoint: .* restored generation 2 ")
        self.assertEqual(comments[2], info["AdminComment"])
        assert_clean(ours, requeued, limited)

    def test_cancelled(self):
        jobs = [submit(THREE_STEPS, *options) for options in ((), ("--checkpoint",))]
        for job in jobs:
            job.wait_output("first begins")
            job.as_user("scancel", job.id)
        for job, info in zip(jobs, wait_all(jobs)):
            self.assertEqual(info["JobState"], "CANCELLED")
            self.assertEqual(texts(rows(job)), ["CANCELLED by 2001 0:0", "batch CANCELLED 0:15", "0 first CANCELLED 0:15"])
        assert_clean(*jobs)

    def test_exit_statuses_and_the_use_of_processors(self):
        jobs = [submit(FAILURES, *options) for options in ((), ("--checkpoint",))]
        for job, info in zip(jobs, wait_all(jobs)):
            self.assert_ended(info, "FAILED", "7:0")
            found = rows(job)
            self.assertEqual(texts(found), ["FAILED 7:0", "batch FAILED 7:0", "0 fails FAILED 3:0", "1 crashes CANCELLED 0:11"])
            for row in found[1:3]:
                self.assertGreaterEqual(row.cpu_seconds(), 1.5, f"{job}: {row}")
        assert_clean(*jobs)


main()
