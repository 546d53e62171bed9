# SPDX-License-Identifier: GPL-2.0-or-later
"""srun in an allocation of salloc --checkpoint: saved on demand, and gone on with in the same allocation, in another one on other nodes, or
as a batch job; and as it is without us in all other ways."""

import itertools

from lib import *
from lib.jobs import directory_of_test

COUNT = "bash -c '. /shared/programs/gate.sh; count \"task $SLURM_PROCID line\" 1 80; gate go; exit $((4 + SLURM_PROCID))'"
PAIR = f"srun --ntasks=2 {COUNT}"
OPTIONS = ("--nodes=2", "--ntasks=2", "--ntasks-per-node=1")
WHOLE = sorted(f"task {task} line {i}" for task in (0, 1) for i in range(1, 81))
CREATE = "sckpt create $SLURM_JOB_ID"

_numbers = itertools.count(1)


class Allocation(Job):
    """A shell in an allocation of alice's, which does what it is told."""

    def __init__(self, *options, nodes, directory=None, started=True):
        directory = directory or f"{directory_of_test('alice')}/{next(_numbers)}"
        command = 'mkdir -p "$1" && cd "$1" && rm -f id && shift && exec "$@" 2>>messages'
        self.shell = cluster.background("ctl", "sh", "-c", command, "sh", directory, "salloc", "--nodelist", nodes, *options, "bash", "-s",
                                        user="alice")
        path = cluster.shared(directory)
        if not started:
            super().__init__(0, directory, f"{directory}/messages", "alice")
            return
        self.tell("echo $SLURM_JOB_ID >id.new && mv id.new id")
        wait_for("the allocation", lambda: (path / "id").exists())
        super().__init__((path / "id").read_text().strip(), directory, f"{directory}/messages", "alice")

    def tell(self, command):
        self.shell.stdin.write(command + "\n")
        self.shell.stdin.flush()

    def call(self, command, timeout=60):
        """Its status."""
        name = f"status-{next(_numbers)}"
        self.tell(f"{command} </dev/null; echo $? >{name}.new; mv {name}.new {name}")
        wait_for(f"{command} ends", (self.path(name)).exists, timeout)
        return int(self.path(name).read_text())

    def begin(self, command, output):
        """In the background, until end_of() is asked for."""
        self.tell(f"{command} </dev/null >{output} 2>{output}.err & p=$!")

    def end_of(self, timeout=60):
        return self.call("wait $p", timeout)

    def interrupt(self, output):
        """As somebody who presses ^C twice within a second, and again if srun was too busy to see it like that."""
        self.tell(f"until grep -qs 'Job step aborted' {output}.err; do kill -INT $p; sleep 0.4; done")

    def read(self, name):
        path = self.path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def leave(self):
        self.shell.stdin.close()
        self.shell.wait(timeout=60)
        return end(self)


class Salloc(SystemTest):
    def saved_in_the_middle(self, allocation, output="one"):
        """PAIR runs, and is saved when both tasks have come to line 10."""
        allocation.begin(PAIR, output)
        for task in (0, 1):
            wait_for(f"line 10 of task {task}", lambda task=task: f"task {task} line 10\n" in allocation.read(output))
        self.assertEqual(allocation.call(CREATE), 0)  # from the login node, where that shell is

    def assert_goes_on(self, output):
        """OUTPUT begins where the checkpoint was, after line 10 of each task, and is whole and in order from there."""
        for task in (0, 1):
            numbers = [int(line.rsplit(" ", 1)[1]) for line in output.splitlines() if line.startswith(f"task {task} ")]
            self.assertGreater(numbers[0], 9)
            self.assertEqual(numbers, list(range(numbers[0], 81)))

    def test_in_the_same_allocation(self):
        allocation = Allocation("--checkpoint", *OPTIONS, nodes="n1,n2")
        self.saved_in_the_middle(allocation)
        allocation.interrupt("one")
        self.assertEqual(allocation.end_of(), 137)
        allocation.begin("srun --checkpoint-restore=$SLURM_JOB_ID", "two")
        wait_for("the restore", lambda: "restored generation 1 of job" in allocation.read("two.err"))
        written = allocation.read("one")
        allocation.path("go").touch()
        self.assertEqual(allocation.end_of(), 5)
        self.assertEqual(allocation.read("one"), written, "what was interrupted runs on")
        self.assert_goes_on(allocation.read("two"))
        self.assertEqual(complaints(allocation.read("two.err")), [])
        # What comes next is another matter.
        self.assertEqual(allocation.call("srun --ntasks=2 true"), 0)
        self.assertEqual(allocation.leave()["JobState"], "COMPLETED")
        assert_clean(allocation)

    def test_in_another_one_on_other_nodes_and_as_a_batch_job(self):
        first = Allocation("--checkpoint", *OPTIONS, nodes="n1,n2")
        self.saved_in_the_middle(first)
        first.as_user("scancel", first.name)
        end(first)
        second = Allocation("--checkpoint", *OPTIONS, nodes="n2,n3", directory=first.directory)
        self.assertEqual(second.call("touch go; srun --checkpoint-restore=%d >two 2>two.err" % first.id), 5)
        self.assert_goes_on(second.read("two"))
        second.leave()
        batch = submit("#!/bin/bash\necho never\n", f"--checkpoint-restore={first.id}", *OPTIONS, "--output", f"{first.directory}/three", node="n1,n3")
        self.assert_ended(end(batch), "FAILED", "5:0")
        self.assert_goes_on("\n".join(application_lines(first.read("three"))))
        assert_clean(first, second, batch)

    def test_a_batch_job_does_not_go_on_in_an_allocation(self):
        batch = submit("#!/bin/bash\n. /shared/programs/gate.sh\ncount line 1 80\ngate go\n", "--checkpoint", node="n1")
        batch.wait_output("line 10\n")
        cluster.run("n1", "sckpt", "create", batch.id, user="alice")
        batch.as_user("scancel", batch.name)
        end(batch)
        allocation = Allocation("--checkpoint", nodes="n2")
        self.assertEqual(allocation.call(f"srun --checkpoint-restore={batch.id} 2>two.err"), 1)
        self.assertIn(f"sbatch --checkpoint-restore={batch.id}", allocation.read("two.err"))
        allocation.leave()
        assert_clean(batch, allocation)

    def test_one_at_a_time(self):
        allocation = Allocation("--checkpoint", "--ntasks=2", nodes="n1")
        self.saved_in_the_middle(allocation)
        self.assertEqual(allocation.call("srun --ntasks=1 --overlap echo beside >two 2>two.err"), 0)
        self.assertEqual(allocation.read("two"), "beside\n")
        self.assertEqual(len(complaints(allocation.read("two.err"))), 1, allocation.read("two.err"))
        self.assertIn("this one runs without checkpoints", allocation.read("two.err"))
        self.assertEqual(allocation.call("srun --checkpoint-restore=$SLURM_JOB_ID >three 2>three.err"), 1)
        self.assertIn("has ended", allocation.read("three.err"))
        self.assertEqual(allocation.read("three"), "")
        allocation.path("go").touch()
        self.assertEqual(allocation.end_of(), 5)
        self.assertEqual(sorted(application_lines(allocation.read("one"))), WHOLE)
        allocation.leave()
        assert_clean(allocation)

    def test_nothing_is_started_where_nothing_is_restored(self):
        allocation = Allocation("--checkpoint", "--ntasks=2", nodes="n1")
        self.assertEqual(allocation.call("srun --checkpoint-restore=4000000 touch started 2>none.err"), 1)
        self.assertIn("job 4000000 of yours has no checkpoint", allocation.read("none.err"))
        cluster.service("n1", "ckptd", "stop")
        try:
            self.assertEqual(allocation.call("srun --checkpoint-restore=$SLURM_JOB_ID touch started 2>away.err"), 75)
            self.assertEqual(allocation.call("srun --ntasks=2 echo runs >without 2>without.err"), 0)
        finally:
            cluster.service("n1", "ckptd", "start")
        self.assertIn("nothing is started", allocation.read("away.err"))
        self.assertEqual(allocation.read("without"), "runs\nruns\n")
        self.assertFalse(allocation.path("started").exists())
        allocation.leave()
        assert_clean(allocation)

    def test_ckptd_is_started_anew_meanwhile(self):
        allocation = Allocation("--checkpoint", *OPTIONS, nodes="n1,n2")
        self.saved_in_the_middle(allocation)
        for node in ("n1", "n2"):
            cluster.service(node, "ckptd", "restart")
        create = f"srun --jobid=$SLURM_JOB_ID --overlap --ntasks=1 --nodes=1 {CREATE}"
        wait_for("another checkpoint", lambda: allocation.call(create) == 0)
        allocation.interrupt("one")
        self.assertEqual(allocation.end_of(), 137)
        allocation.path("go").touch()
        self.assertEqual(allocation.call("srun --checkpoint-restore=$SLURM_JOB_ID >two 2>two.err"), 5)
        self.assert_goes_on(allocation.read("two"))
        self.assertRegex(allocation.read("two.err"), "restored generation [2-9]")
        allocation.leave()
        assert_clean(allocation)

    def test_its_time_limit(self):
        allocation = Allocation("--checkpoint", "--ntasks=2", "--time=1", nodes="n1")
        allocation.begin(PAIR, "one")
        wait_for("the last checkpoint", lambda: "generation 1 saved" in allocation.read("one.err"), timeout=90)
        self.assertEqual(end(allocation)["JobState"], "TIMEOUT")
        allocation.shell.stdin.close()
        again = Allocation("--checkpoint", "--ntasks=2", nodes="n2", directory=allocation.directory)
        self.assertEqual(again.call(f"touch go; srun --checkpoint-restore={allocation.id} >two 2>two.err"), 5)
        self.assertEqual(sorted(set(application_lines(again.read("one") + again.read("two")))), WHOLE)
        again.leave()
        assert_clean(allocation, again)

    def test_many_one_after_the_other_leave_nothing_open(self):
        allocation = Allocation("--checkpoint", "--ntasks=2", nodes="n1")
        count = "ls /proc/$(pgrep -o -x ckptd)/fd | wc -l"
        self.assertEqual(allocation.call("for i in 1 2 3; do srun --ntasks=2 true </dev/null; done"), 0)
        before = int(cluster.run("n1", "sh", "-c", count))
        self.assertEqual(allocation.call("for i in $(seq 12); do srun --ntasks=2 true </dev/null; done"), 0)
        self.assertLess(int(cluster.run("n1", "sh", "-c", count)) - before, 12)
        allocation.leave()
        assert_clean(allocation)

    def test_a_user_says_that_tasks_stand_for_scripts(self):
        """Of which a job has one, of one task: they run without checkpoints, and those of the script go on."""
        allocation = Allocation("--checkpoint", "--ntasks=2", nodes="n1")
        self.saved_in_the_middle(allocation)
        forged = "SLURM_CHECKPOINT_SCRIPT=fresh PATH=/usr/bin:/bin srun --overlap --ntasks=%s --overcommit bash -c 'echo runs' >forged%s"
        self.assertEqual(allocation.call(forged % ("1", "1")), 0)
        self.assertEqual(allocation.call(forged % ("20", "20")), 0)
        self.assertEqual(allocation.read("forged1") + allocation.read("forged20"), 21 * "runs\n")
        self.assertEqual(allocation.call(f"srun --jobid=$SLURM_JOB_ID --overlap --ntasks=1 --nodes=1 {CREATE}"), 0)
        allocation.path("go").touch()
        self.assertEqual(allocation.end_of(), 5)
        self.assertEqual(sorted(application_lines(allocation.read("one"))), WHOLE)
        self.assertEqual(complaints(allocation.read("one.err")), [])
        allocation.leave()
        assert_clean(allocation)

    def test_scancel_ends_everything_at_once(self):
        allocation = Allocation("--checkpoint", *OPTIONS, nodes="n1,n2")
        allocation.begin(PAIR, "one")
        wait_for("line 10", lambda: "task 1 line 10\n" in allocation.read("one"))
        allocation.as_user("scancel", allocation.name)
        self.assertEqual(end(allocation)["JobState"], "CANCELLED")
        assert_clean(allocation)

    def test_everything_else_is_as_without_us(self):
        allocation = Allocation("--checkpoint", "--ntasks=3", "--cpus-per-task=2", nodes="n1")
        allocation.tell("ulimit -S -n 777; ulimit -S -c 0; umask 27")
        show = "bash -c 'env | grep -E \"^SL|^SRUN\" | sort; pwd; umask; ulimit -S -a; nice; cat /proc/self/status | grep Cpus_allowed_list'"
        for word, srun in (("ours", "srun"), ("plain", "PATH=/usr/bin:/bin srun")):
            self.assertEqual(allocation.call(f"{srun} --ntasks=1 {show} >env.{word}"), 0)
            self.assertEqual(allocation.call(f"(seq 1 20000 | {srun} --label cat | sort >input.{word})"), 0)
            self.assertEqual(allocation.call(f"{srun} -n3 -o each.{word}.%t bash -c 'echo $SLURM_PROCID'"), 0)
            self.assertEqual(allocation.call(f"{srun} --ntasks=2 bash -c 'exit 9' 2>err.{word}"), 9)
            allocation.call(f"{srun} --no-such-option 2>wrong.{word}")
        own = ("SLURM_STEP_ID=", "SLURM_STEPID=", "SLURM_STEP_LAUNCHER_PORT=", "SLURM_SRUN_COMM_PORT=", "SLURM_TASK_PID=", "SLURM_SPANK_CKPT_UUID=",
               "SLURM_LAUNCH_NODE_IPADDR=", "SRUN_DEBUG=", "SLURM_SRUN_COMM_HOST=")
        environment = {word: [line for line in allocation.read(f"env.{word}").splitlines() if not line.startswith(own)] for word in ("ours", "plain")}
        self.assertEqual(environment["ours"], environment["plain"])
        for name in ("input.{}", "each.{}.0", "each.{}.1", "each.{}.2", "wrong.{}"):
            ours, plain = (allocation.read(name.format(word)) for word in ("ours", "plain"))
            self.assertEqual(ours, plain)
            self.assertTrue(ours)
        allocation.leave()
        assert_clean(allocation)

    def test_refusals(self):
        for options, message in ((("--checkpoint-restore=1",), "give --checkpoint-restore to srun"),
                                 (("--checkpoint", "-N1", ":", "-N1"), "heterogeneous")):
            done = cluster.attempt("ctl", "salloc", "--immediate=5", *options, "true", user="alice")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(message, done.stderr)
            self.assertEqual(cluster.run("ctl", "squeue", "--noheader"), "")
        done = cluster.attempt("ctl", "srun", "--checkpoint", "echo", "runs", user="alice")
        self.assertEqual((done.returncode, done.stdout), (0, "runs\n"))
        self.assertEqual(len(complaints(done.stderr.replace("srun: ", ""))), 1, done.stderr)
        done = cluster.attempt("ctl", "salloc", "sh", "-c", "srun echo runs; echo $PATH", user="alice")
        self.assertEqual(done.stdout.splitlines()[0], "runs")
        self.assertNotIn("slurm-checkpoint", done.stdout, "a step more for each srun, for who has not asked for it")


main()
