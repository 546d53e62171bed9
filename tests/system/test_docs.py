# SPDX-License-Identifier: GPL-2.0-or-later
"""The job scripts of docs/user-guide.md, as they stand there: each is requeued once and goes on, with exactly the output that it
would have had undisturbed. ./simulate is a small script of ours; partitions and times are those of the cluster."""

import re
import sys
from pathlib import Path

from lib import *

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
from markdown import SOURCE, Document

GUIDE = Document(SOURCE / "docs" / "user-guide.md").scripts()
PROGRAMS = "/home/alice/docs/programs"
LINES = 40
# It says that it has come to its middle, and waits there for the test.
COUNTS = f"""#!/bin/bash
. /shared/programs/gate.sh
name=${{*:+-${{*// /-}}}}
count "${{*:+$* }}line" 1 {LINES // 2}
touch "at$name"
gate "go$name"
count "${{*:+$* }}line" {LINES // 2 + 1} {LINES}
"""
SAVES_ITSELF = "#!/bin/bash\nexec /shared/programs/saves_itself.py work 100 ends\n"
ALL_REDUCE = "#!/bin/bash\nexec /shared/programs/allreduce.openmpi 1500 result go\n"
MPIRUN = '#!/bin/bash\nexec mpirun.openmpi --bind-to none "$@"\n'  # nodes have fewer CPUs than Slurm believes
# The last checkpoint comes at half of the shortest time limit that there is, one minute.
EARLY = {"reserve": "30s"}

# Those that only count, and are requeued by hand.
PLAIN = ["In one minute", "Coming from DMTCP", "Coming from timeout and scontrol requeue", "Coming from hand-written signal traps",
         "Cancel now, go on later"]
OTHERS = ["A long job in a short partition", "Job arrays", "A preemptible partition", "A program with checkpoints of its own",
          "MPI on one node", "Steps with srun", "On demand, from inside the job"]


def counted(words="", first=1, last=LINES):
    return [f"{words}line {i}" for i in range(first, last + 1)]


def submit_recipe(heading, *options, program=COUNTS, node="n1", **more):
    script, = GUIDE[heading]
    name = re.sub(r"\W+", "-", heading.lower())
    path = f"{PROGRAMS}/{name}"
    cluster.run("ctl", "sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1" && chmod 755 "$1"', "sh", path, user="alice", input=program)
    prefix = (f"PATH={PROGRAMS}:/usr/local/bin:/usr/bin:/bin", "sh", "-c", 'cp "$0" simulate && exec "$@"', path)
    return submit(script, *options, node=node, name=name, prefix=prefix, **more)


def go(job, *names):
    for name in names or ("",):
        job.path(f"go{name}").touch()


class Docs(SystemTest):
    @classmethod
    def setUpClass(cls):
        set_policy("n1", "n2", "ctl", time_limit=EARLY)
        cluster.run("ctl", "sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1" && chmod 755 "$1"', "sh", f"{PROGRAMS}/mpirun", user="alice", input=MPIRUN)

    @classmethod
    def tearDownClass(cls):
        clear_policy("n1", "n2", "ctl")

    def assert_went_on(self, job, expected, restarts=1):
        """It has ended well after one restart, with exactly these lines, and nothing of ours but successes."""
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["Restarts"], str(restarts))
        self.assertEqual(application_lines(job.output()), expected)
        self.assertEqual([line for line in complaints(job.output()) if "is requeued before its time limit" not in line], [])

    def test_every_script_is_run(self):
        self.assertEqual(sorted(GUIDE), sorted([*PLAIN, *OTHERS]))
        self.assertEqual({heading for heading, scripts in GUIDE.items() if len(scripts) > 1}, set())

    def test_requeued(self):
        """By hand, and one meanwhile by its time limit."""
        limited = submit_recipe("A long job in a short partition", "--partition=debug", "--time=1")
        plain = [submit_recipe(heading) for heading in PLAIN]
        array = submit_recipe("Job arrays", output="/home/alice/docs/run-%a.out")
        elements = [array_element(array, i) for i in (1, 2, 3)]
        steps = submit_recipe("Steps with srun")
        asks = submit_recipe("On demand, from inside the job")
        go(steps, "-prepare")
        go(asks, "-part-1")
        for job, name in ([(job, "at") for job in plain] + [(array, f"at-input.{i}") for i in (1, 2, 3)]
                          + [(steps, "at-main"), (asks, "at-part-2")]):
            job.wait_file(name, lines=0)
        jobs = [*plain, *elements, steps, asks]
        requeue(*jobs, to="n2")
        for job in jobs:
            wait_restored(job, 1)
        for job in plain:
            go(job)
        go(array, *(f"-input.{i}" for i in (1, 2, 3)))
        go(steps, "-main")
        go(asks, "-part-2", "-part-3")
        for job in plain:
            with self.subTest(job.directory):
                self.assert_went_on(job, counted())
        for i, job in enumerate(elements, start=1):
            self.assert_went_on(job, counted(f"input.{i} "))
        self.assert_went_on(steps, [*counted("prepare "), "main has ended with 0"])
        self.assertEqual(steps.path("result").read_text().splitlines(), sorted(2 * counted("main ")))  # of two tasks
        self.assert_went_on(asks, [line for part, generation in ((1, 1), (2, 3), (3, 4))
                                   for line in (*counted(f"part {part} "), f"generation {generation} of job {asks.id} saved")]
                            + ["all parts are done"])
        wait_for(f"{limited} is restored", lambda: "checkpoint: restored generation" in limited.output(), timeout=120)
        go(limited)
        self.assert_went_on(limited, counted())
        self.assertIn("the job is requeued before its time limit and will go on from generation", limited.output())
        assert_clean(limited, *jobs)

    def test_preemption(self):
        job = submit_recipe("A preemptible partition", "--partition=requeued")
        job.wait_file("at", lines=0)
        urgent = submit("#!/bin/bash\necho here\n", "--partition=urgent", "--exclusive", node="n1", name="urgent")
        self.assert_ended(end(urgent))
        wait_restored(job, 1)
        go(job)
        self.assert_went_on(job, counted())
        assert_clean(job, urgent)

    def test_a_program_with_checkpoints_of_its_own(self):
        job = submit_recipe("A program with checkpoints of its own", program=SAVES_ITSELF)
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("started again, to go on from generation 1, which the program has saved\n")
        go(job)
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["Restarts"], "1")
        lines = application_lines(job.output())
        stop, = (int(line.rpartition(" ")[2]) for line in lines if " saved at " in line)
        self.assertEqual(lines, [*(f"work step {i}" for i in range(1, stop + 1)), f"work saved at {stop}",
                                 *(f"work step {i}" for i in range(stop + 1, 101))])
        assert_clean(job)

    def test_mpi(self):
        job = submit_recipe("MPI on one node", program=ALL_REDUCE)
        job.wait_file("result", lines=11)  # where it waits
        requeue(job, to="n2")
        # What the guide calls switching checkpoints off for one submission; restored, the other one needs its ports on n2.
        reference = submit_recipe("MPI on one node", "--checkpoint=off", program=ALL_REDUCE)
        wait_restored(job, 1)
        for one in (job, reference):
            go(one)
        self.assert_ended(end(reference))
        self.assertEqual(product_lines(reference.output()), [])
        self.assert_went_on(job, [])
        lines = job.path("result").read_text().splitlines()
        self.assertEqual(len(lines), 15)
        self.assertEqual(lines, reference.path("result").read_text().splitlines())
        assert_clean(job, reference)

    def test_cancel_now_go_on_later(self):
        cancelled, vacated = submit_recipe("Cancel now, go on later"), submit_recipe("In one minute")
        for job in (cancelled, vacated):
            job.wait_file("at", lines=0)
        cancelled.as_user("scancel", cancelled.name)
        # From a login node a step of the job asks, which may have ended with the job before it could tell the generation.
        self.assertRegex(vacated.as_user("sckpt", "vacate", vacated.id), f"job {vacated.id} (saved, and the job )?has ended")
        for job in (cancelled, vacated):
            self.assertEqual(end(job)["JobState"], "CANCELLED")
            again = Job(self.restart(job), job.directory, f"{job.directory}/on.out", "alice")
            again.wait_output("restored generation 1 ")
            go(job)
            self.assert_went_on(again, counted(first=LINES // 2 + 1), restarts=0)
            self.assertEqual(application_lines(job.output()), counted(last=LINES // 2))
            assert_clean(job, again)

    def restart(self, job):
        """The number of the job that goes on from JOB, when slurmctld has cleaned up after that."""
        def told():
            done = cluster.attempt("ctl", "sckpt", "restart", job.id, "--", f"--chdir={job.directory}", "--output=on.out", user="alice")
            return done if "is just ending" not in done.stderr else None

        done = wait_for(f"{job} is cleaned up", told)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()


main()
