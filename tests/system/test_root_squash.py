# SPDX-License-Identifier: GPL-2.0-or-later
"""Homes on a file system where root is nobody, as on NFS with root_squash: the script, its programs, the working directory, output
and files of a job lie there, and it comes back as from anywhere else."""

import stat
from contextlib import contextmanager

from lib import *
from lib.cluster import NODES
from lib.product import STORE

# Whatever is executed or sourced lies beside it. One file has lost its name and one is on the node only.
SCRIPT = """#!/bin/bash
. ./gate.sh
exec 3<>deleted 4>>"/tmp/local-$SLURM_JOB_ID" 5>>copy
rm deleted
OMP_NUM_THREADS=3 ./threads >steps &
for i in {1..200}; do
    echo "line $i"
    for fd in 3 4 5; do echo "line $i" >&$fd; done
    sleep 0.05
done
gate go
wait
cp /proc/self/fd/3 deleted.end
mv "/tmp/local-$SLURM_JOB_ID" local.end
echo "the end"
"""
EXPECTED = [f"line {i}" for i in range(1, 201)]


def install(*programs):
    """Copies for alice in her home on that file system, with the script; that directory."""
    directory = "/squash/alice/root_squash/programs"
    cluster.run("ctl", "sh", "-ec", 'mkdir -p "$1" && cd "$1" && cat >main.sh && chmod 755 main.sh && shift && cp "$@" .', "sh", directory,
                *(f"/shared/programs/{program}" for program in programs), user="alice", input=SCRIPT)
    return directory


# Its directory is seen through a second mount, on which a deleted file keeps another name until it is closed.
DELETES = """#!/bin/bash
#SBATCH --checkpoint-interval=1s
. /shared/programs/gate.sh
cd "/mnt/nfs${PWD#/squash}"
exec 3<>deleted
rm deleted
count line 1 40 | tee /dev/fd/3
gate go
cat /proc/self/fd/3
"""


@contextmanager
def silly_renames(node):
    """/squash with the habit of NFS that gives it its name, at /mnt/nfs."""
    cluster.run(node, "mkdir", "-p", "/mnt/nfs")
    with cluster.background(node, "/usr/libexec/cluster/rootsquash", "--silly-rename", "/srv/squash", "/mnt/nfs") as server:
        try:
            wait_for("the mount", lambda: not cluster.attempt(node, "mountpoint", "--quiet", "/mnt/nfs").returncode)
            yield
        finally:
            server.terminate()


class RootSquash(SystemTest):
    def tearDown(self):
        if not cluster.is_on("n2"):
            cluster.start_node("n2")

    def test_root_has_no_rights(self):
        """Else the tests below would show nothing."""
        directory = install("gate.sh")
        for node in NODES:
            with self.subTest(node):
                self.assertEqual(cluster.read(node, "/shared/programs/gate.sh"), cluster.run(node, "cat", f"{directory}/gate.sh", user="alice"))
                for command in (("cat", f"{directory}/gate.sh"), ("ls", "/squash/alice"), ("touch", "/squash/alice/new")):
                    done = cluster.attempt(node, *command)
                    self.assertNotEqual(done.returncode, 0, command)
                    self.assertIn("Permission denied", done.stderr)

    def run_with_a_dead_node(self):
        """From n1 to n2, and when that one dies some time after a checkpoint, back to n1."""
        programs = install("gate.sh", "threads")
        job = submit(f"#!/bin/bash\ncp {programs}/* . && exec ./main.sh\n", "--checkpoint-interval=2s", homes="/squash")
        job.wait_output("line 20")
        requeue(job, to="n2")
        job.wait_output("restored generation")
        saved = job.output().count(" saved")
        wait_for(f"another checkpoint of {job}", lambda: job.output().count(" saved") > saved)
        lines = len(application_lines(job.output()))
        wait_for("a second of work after it", lambda: len(application_lines(job.output())) > lines + 20)
        cluster.kill_node("n2")
        job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING", timeout=90)
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n1")
        job.wait_running("n1", timeout=90)
        wait_for(f"{job} is restored again", lambda: "on n1" in job.output().rpartition("restored generation")[2])
        cluster.start_node("n2")
        job.path("go").touch()
        info = end(job)
        self.assert_ended(info)
        self.assertEqual(info["BatchHost"], "n1")
        return job

    def assert_exact(self, job):
        self.assertEqual(application_lines(job.output()), [*EXPECTED, "the end"])
        self.assertEqual(complaints(job.output()), [])
        for name in ("copy", "deleted.end", "local.end"):
            self.assertEqual(job.path(name).read_text().splitlines(), EXPECTED, name)
        reference = cluster.run("ctl", "env", f"--chdir={job.directory}", "OMP_NUM_THREADS=3", "./threads", user="alice")
        self.assertEqual(job.path("steps").read_text(), reference)

    def test_output_is_exact_after_a_requeue_and_a_power_loss(self):
        job = self.run_with_a_dead_node()
        self.assert_exact(job)
        assert_clean(job)

    def test_the_store_is_in_the_home_too(self):
        for node in NODES:
            set_policy(node, storage={"base": "/squash/%u/.checkpoints"})
            self.addCleanup(clear_policy, node)
        job = self.run_with_a_dead_node()
        self.assert_exact(job)
        store = cluster.shared("/squash/alice/.checkpoints").stat()
        self.assertEqual((store.st_uid, stat.S_IMODE(store.st_mode)), (2001, 0o700))
        self.assertEqual(list(cluster.shared(STORE).rglob(f"{job.id}-*")), [])
        assert_clean(job)

    def test_an_open_file_that_was_deleted_on_nfs(self):
        """There it lives under another name, which goes when the job leaves the node."""
        with silly_renames("n1"), silly_renames("n2"):
            job = submit(DELETES, homes="/squash")
            job.wait_output("line 20")
            self.assertTrue(list(job.path(".").glob(".nfs*")))
            requeue(job, to="n2")
            job.wait_output("restored generation")
            job.path("go").touch()
            self.assert_ended(end(job))
            lines = [f"line {i}" for i in range(1, 41)]
            self.assertEqual(application_lines(job.output()), [*lines, *lines])
            self.assertEqual({path.name for path in job.path(".").iterdir()}, {"go", f"slurm-{job.id}.out"})
        assert_clean(job)


main()
