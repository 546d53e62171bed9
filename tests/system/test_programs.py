# SPDX-License-Identifier: GPL-2.0-or-later
"""Different kinds of programs, each run twice: untouched, and requeued from n1 to n2. What they write and how they end is the same."""

from lib import *

HEAD = "#!/bin/bash\n. /shared/programs/gate.sh\n"
# Each writes "step 20" or the like to its output on the way and passes `gate go` before it ends.
PROGRAMS = {
    "numpy": ("/shared/programs/matrix.py go\n", "step 20"),
    "pipeline": ("/shared/programs/produce.py | tr a-j k-t > result\n"
                 'echo "status ${PIPESTATUS[*]}"\n', "produced 20"),
    "openmp": ("OMP_NUM_THREADS=3 /shared/programs/threads\n", "step 20"),
    "shell": ("""trap 'echo "exit trap, status $?"' EXIT
trap 'echo "TERM has arrived"' TERM
trap 'signals=$((signals + 1))' USR1
(count orphan 1 60; gate go; count orphan 61 80; echo >orphan.done) >orphan.out &
disown
({ count grandchild 1 100; echo >grandchild.done; } >grandchild.out &)
{ count child 1 70; gate go; exit 3; } >child.out & child=$!
count main 1 80
gate go
until [[ -e signalled ]]; do sleep 0.05; done
wait $child
echo "child ended with $?, USR1 arrived ${signals-0} times"
gate orphan.done
gate grandchild.done
exit 5
""", "main 20"),
    "exit": ("count line 1 80\ngate go\nexit 200\n", "line 20"),
    "abort": ("ulimit -c 0\ncount line 1 80\ngate go\nkill -ABRT $$\n", "line 20"),
    "child-killed": ("count line 1 80\ngate go\n{ bash -c 'kill -KILL $$'; } 2>/dev/null\nexit $?\n", "line 20"),
}


class Programs(SystemTest):
    @classmethod
    def setUpClass(cls):
        """All at once, since most of the time is spent waiting for Slurm."""
        cls.references = {name: submit(HEAD + script, node="n2", name=f"{name}-reference") for name, (script, _) in PROGRAMS.items()}
        cls.jobs = {name: submit(HEAD + script, "--checkpoint", node="n1", name=name) for name, (script, _) in PROGRAMS.items()}
        for name, job in cls.jobs.items():
            job.wait_output(PROGRAMS[name][1])
        requeue(*cls.jobs.values(), to="n2")
        for job in cls.jobs.values():
            job.wait_output("restored generation 1")
        for job in (cls.references["shell"], cls.jobs["shell"]):
            job.as_user("scancel", "--batch", "--signal=USR1", job.id)
            job.path("signalled").touch()
        for job in [*cls.references.values(), *cls.jobs.values()]:
            job.path("go").touch()
        cls.expected = {name: end(job) for name, job in cls.references.items()}
        cls.ended = {name: end(job) for name, job in cls.jobs.items()}

    def assert_same(self, name, *files, said=()):
        job, reference = self.jobs[name], self.references[name]
        self.assertEqual(application_lines(job.output()), application_lines(reference.output()))
        for file in files:
            self.assertEqual(job.path(file).read_bytes(), reference.path(file).read_bytes(), file)
        self.assertEqual(self.ended[name]["Restarts"], "1")
        self.assertEqual(self.ended[name]["BatchHost"], "n2")
        for key in ("JobState", "ExitCode"):
            self.assertEqual(self.ended[name][key], self.expected[name][key], key)
        self.assertEqual([line for line in complaints(job.output()) if not line.startswith(said)], [])

    def test_numpy(self):
        self.assertEqual(len(application_lines(self.jobs["numpy"].output())), 120)
        self.assert_same("numpy", "state.bin")

    def test_pipeline_into_a_file(self):
        self.assert_same("pipeline", "result")
        self.assertIn("status 0 0", self.jobs["pipeline"].output())

    def test_openmp(self):
        self.assertIn("by 3 threads", self.jobs["openmp"].output())
        self.assert_same("openmp")

    def test_shell_script_with_traps_and_background_children(self):
        output = self.jobs["shell"].output()
        self.assertIn("child ended with 3, USR1 arrived 1 times", output)
        self.assertNotIn("TERM has arrived", output)
        self.assert_same("shell", "orphan.out", "grandchild.out", "child.out")
        self.assertEqual(self.ended["shell"]["ExitCode"], "5:0")

    def test_exit_status(self):
        self.assert_same("exit")
        self.assertEqual(self.ended["exit"]["ExitCode"], "200:0")

    def test_death_by_a_signal(self):
        self.assert_same("abort", said=("the program died of SIGABRT, generation 1 is kept;",))
        self.assertEqual(self.ended["abort"]["ExitCode"], "0:6")

    def test_child_killed_by_a_signal(self):
        self.assert_same("child-killed")
        self.assertEqual(self.ended["child-killed"]["ExitCode"], "137:0")

    def test_nothing_is_left(self):
        assert_clean(*self.jobs.values(), *self.references.values())


main()
