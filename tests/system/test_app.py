# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that save themselves: --checkpoint-method=app:SIG. They are asked when they are to make room, and their script starts again from
the beginning and has them go on."""

import re

from lib import *
from lib.app import APP, LAST, LIFE, steps
from lib.product import STORE

ENDS = LIFE + f"""/shared/programs/saves_itself.py work {LAST} ends | tee -a copy
echo "status ${{PIPESTATUS[0]}}"
exit 3
"""


def saved_at(job):
    """How far the program was each time it saved itself."""
    return [int(each) for each in re.findall(r"^work saved at (\d+)$", job.output(), re.MULTILINE)]


class App(SystemTest):
    def expected(self, stops):
        """The output of a job whose program saved itself and ended at these steps."""
        lines, first = [], 1
        for life, stop in enumerate([*stops, None]):
            lines += [f"life restarted={'1' if life else 'no'} generation={life}", *steps(first, stop or LAST)]
            if stop:
                lines += [f"work saved at {stop}"]
                first = stop + 1
        return [*lines, "status 0"]

    def assert_exact(self, job, lives):
        """The script never came to its next line before its program had come to its end; its directory was always the same."""
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info, "FAILED", "3:0")
        self.assertEqual(info["Restarts"], str(lives - 1))
        stops = saved_at(job)
        self.assertEqual(len(stops), lives - 1)
        self.assertEqual(application_lines(job.output()), self.expected(stops))
        directories = job.path("directories").read_text().splitlines()
        self.assertEqual(len(directories), lives)
        self.assertEqual(set(directories), {directories[0]})
        self.assertRegex(directories[0], f"^{STORE}/{job.user}/app/[^/]+/{job.id}-[0-9a-f]{{8}}$")
        assert_clean(job)
        return directories[0]

    def test_requeued(self):
        job = submit(ENDS, APP, node="n1", name="requeued")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        job.wait_output("work step 50\n")
        requeue(job, to="n1")
        job.wait_output("life restarted=1 generation=2\n")
        directory = self.assert_exact(job, 3)
        self.assertEqual(complaints(job.output()), [
            f"started again, to go on from generation {life}, which the program has saved" for life in (1, 2)])
        # It failed: what it has noted stays, as what a checkpoint would be.
        self.assertEqual(cluster.read("n1", f"{directory}/generation"), "2\n")
        self.assertEqual(generations(job), [])

    def test_preempted(self):
        job = submit(ENDS, APP, "--partition=requeued", node="n1", name="preempted")
        job.wait_output("work step 10\n")
        urgent = submit("#!/bin/bash\necho here\n", "--partition=urgent", "--exclusive", node="n1", name="urgent")
        self.assert_ended(end(urgent))
        job.wait_output("life restarted=1 generation=1\n", timeout=90)
        self.assert_exact(job, 2)

    def test_time_limit(self):
        job = submit(ENDS, APP, "--time=1", node="n1", name="limit")
        self.assertIn("the program is asked to save itself at half the time limit of 1m", job.advice)
        job.wait_output("life restarted=1 generation=1\n", timeout=120)
        self.assertEqual(job.info()["Restarts"], "1")
        self.assert_exact(job, 2)
        self.assertIn("the job is requeued before its time limit and will go on from generation 1", job.output())

    def test_a_script_with_a_trap(self):
        """It is asked, and tells its program; what it ends with is not the job's end."""
        script = LIFE + f"""trap 'kill -USR1 $program; wait $program; exit 0' USR1
/shared/programs/saves_itself.py work {LAST} ends &
program=$!
wait $program
echo "status $?"
exit 3
"""
        job = submit(script, APP, "--time=1", node="n2", name="trap")
        job.wait_output("life restarted=1 generation=1\n", timeout=120)
        self.assert_exact(job, 2)

    def test_a_trap_that_tells_its_srun(self):
        """And waits for it; its task gets the signal once."""
        script = LIFE + f"""trap 'kill -USR1 $program; wait $program; exit 0' USR1
srun --ntasks=1 /shared/programs/saves_itself.py work {LAST} ends &
program=$!
wait $program
echo "status $?"
exit 3
"""
        job = submit(script, APP, node="n1", name="trap-srun")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        self.assert_exact(job, 2)

    def test_requeued_on_demand_with_sruns(self):
        """The end of an srun whose program has saved itself is kept from the script, however the messages about it cross: in each job."""
        script = LIFE + f"srun --ntasks=1 /shared/programs/saves_itself.py work {LAST} ends\necho \"status $?\"\nexit 3\n"
        jobs = [submit(script, APP, "--mem=100", node="n1", name=f"srun{i}") for i in range(10)]
        for job in jobs:
            job.wait_output("work step 5\n")
        for job in jobs:
            done = cluster.attempt("n1", "sckpt", "requeue", job.id, user=job.user)
            self.assertEqual((done.returncode, done.stdout), (0, f"generation 1 of {job} saved, and the job is requeued\n"), done.stderr)
        for job in jobs:
            job.wait_output("life restarted=1 generation=1\n")
            job.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job), "FAILED", "3:0")
            self.assertEqual(job.info()["Restarts"], "1")
            self.assertEqual(application_lines(job.output()),
                             self.expected(saved_at(job)))
        assert_clean(*jobs)

    def test_a_shell_that_cleans_up_is_not_the_program(self):
        script = LIFE + f"trap 'echo cleaned' EXIT\n/shared/programs/saves_itself.py work {LAST} ends\nexit 3\n"
        job = submit(script, APP, node="n1", name="cleanup")
        job.wait_output("work step 10\n")
        requeue(job, to="n2")
        job.wait_output("life restarted=1 generation=1\n")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "3:0")
        self.assertEqual(application_lines(job.output()), [*self.expected(saved_at(job))[:-1], "cleaned"])
        assert_clean(job)

    def test_lammps(self):
        """With restart files of its own; its script has a trap that tells it with a file."""
        script = """#!/bin/bash
rm -f stop
trap 'touch stop' USR1
lmp -in /shared/programs/melt_saves_itself.in -var restarted ${SLURM_CHECKPOINT_RESTARTED:-0} &
while kill -0 $! 2>/dev/null; do wait $!; done
[[ -e stop ]] && exit 0
echo the end
"""
        job = submit(script, APP, node="n1", name="lammps")
        reference = submit(script, APP, node="n2", name="reference")
        reference.path("go").touch()
        job.wait_file("held", lines=0)
        requeue(job, to="n2")
        job.wait_output("started again, to go on from generation 1")
        job.path("go").touch()
        self.assert_ended(end(job, timeout=120))
        self.assert_ended(end(reference, timeout=120))
        self.assertEqual(job.output().count("\nthe end\n"), 1)
        # LAMMPS itself does not go on from its restart files bit by bit.
        final, expected = ([[float(each) for each in line.split()] for line in one.path("final").read_text().splitlines()[9:]]
                           for one in (job, reference))
        self.assertEqual(len(final), 2048)
        for atom, same in zip(final, expected):
            for value, wanted in zip(atom, same):
                self.assertAlmostEqual(value, wanted, delta=1e-4)
        assert_clean(job, reference)


main()
