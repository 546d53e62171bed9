# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that a job writes to: what lies in them in the end is what an undisturbed job would have left there."""

from lib import *

HEAD = "#!/bin/bash\n#SBATCH --checkpoint\n#SBATCH --checkpoint-interval=none\n. /shared/programs/gate.sh\n"
LOCAL = "/srv/of-the-node"  # on the node's own disk, and unknown to the policy


# Counts in a large file of its own, in place, and knows what has to be in it.
COUNTER = r"""exec /usr/bin/python3 -c '
import os, time
data = os.open("data", os.O_RDWR | os.O_CREAT, 0o644)
os.pwrite(data, b"0" * 4000000, 0)
print("counts", flush=True)
n = 0
while not os.path.exists("go"):
    n += 1
    os.pwrite(data, b"%08d" % n, 0); os.pwrite(data, b"%08d" % n, 8 * n)
    time.sleep(0.02)
want = bytearray(b"0" * 4000000); want[:8] = b"%08d" % n
for i in range(1, n + 1): want[8 * i:8 * i + 8] = b"%08d" % i
print("right" if os.pread(data, 5000000, 0) == want else "wrong", n, flush=True)
'
"""
# Kills the engine while there is a record of what it is about to do: stopped, it cannot go past that before we have looked.
KILLER = """for ((i = 0; i < 60000; i++)); do
    set -- "$1" "$1"/.ckpt-*
    if [ -e "$2" ]; then
        pkill -STOP -x ckpt-engine
        set -- "$1" "$1"/.ckpt-*.undo
        [ -e "$2" ] && exec pkill -KILL -x ckpt-engine
        pkill -CONT -x ckpt-engine
    fi
    sleep 0.002
done
exit 1"""


class NodeLoss(SystemTest):
    """The last checkpoint has left the job running: it has changed its files since."""

    def tearDown(self):
        if not cluster.is_on("n1"):
            cluster.start_node("n1")

    def test_files_changed_in_place_and_lost_names(self):
        in_place = HEAD + "exec /shared/programs/in_place.py\n"
        reference = submit(in_place, "--checkpoint=off", node="n2", name="reference")
        reference.path("go").touch()
        job = submit(in_place, "--checkpoint-files=copy", name="copy")
        names = submit(HEAD + "exec /shared/programs/lost_names.py\n", name="names")
        job.wait_output("step 15\n")
        names.wait_output("ready")
        for one in (job, names):
            cluster.run("n1", "sckpt", "create", one.id, user="alice")
            one.wait_output("generation 1 saved")
        self.assertEqual(self.links(names), [])
        saved_at = len(application_lines(job.output()))
        wait_for("some steps more", lambda: len(application_lines(job.output())) > saved_at + 5)
        cluster.kill_node("n1")
        for one in (job, names):
            one.wait_info("is requeued", lambda info: info["JobState"] == "PENDING" or info.get("BatchHost") == "n2", timeout=90)
            one.as_user("scontrol", "update", f"JobId={one.id}", "ReqNodeList=n2")
        for one in (job, names):
            one.wait_running("n2", timeout=90)
            one.wait_output("restored generation 1")
            one.path("go").touch()
            self.assert_ended(end(one))
        cluster.start_node("n1")
        self.assert_ended(end(reference))
        self.assertIn("journal.db ok", reference.output())
        self.assertEqual(application_lines(job.output()), application_lines(reference.output()))
        size = len("before") + (2 << 20) + len("after")
        self.assertEqual(application_lines(names.output()),
                         ["ready", *(f"{name} {size} before after" for name in ("near", "far", "none")), "by its name after"])
        self.assertEqual(self.links(names), [])
        assert_clean(job, names)

    def test_a_restore_that_is_killed_is_taken_back(self):
        """The files are as the killed restore has found them, and the next one succeeds."""
        job = submit(HEAD + COUNTER, "--checkpoint-files=copy", name="killed")
        job.wait_output("counts")
        cluster.run("n1", "sckpt", "create", job.id, user="alice")
        job.wait_output("generation 1 saved")
        data = job.path("data")
        at_cut = data.read_bytes()
        wait_for("it has counted on", lambda: data.read_bytes()[:8] > at_cut[:8])
        cluster.kill_node("n1")
        found = data.read_bytes()
        killer = cluster.background("n2", "bash", "-c", KILLER, "killer", job.directory)
        job.wait_info("is requeued", lambda info: info["JobState"] == "PENDING" or info.get("BatchHost") == "n2", timeout=90)
        job.as_user("scontrol", "update", f"JobId={job.id}", "ReqNodeList=n2")
        job.wait_info("is held", lambda info: info["JobState"] == "PENDING" and info["Priority"] == "0", timeout=90)
        killer.communicate(timeout=60)
        self.assertEqual(killer.returncode, 0, "a record of the restore was there, and the engine was killed")
        self.assertTrue(data.read_bytes() == found)
        self.assertEqual([path.name for path in data.parent.glob(".ckpt-*")], [])
        cluster.run("n2", "scontrol", "release", job.id)
        job.wait_running("n2", timeout=90)
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertIn("right", job.output())
        cluster.start_node("n1")
        assert_clean(job)

    def links(self, job):
        return [str(path) for path in job.path(".").rglob("link_remap*")]


class Requeued(SystemTest):
    def test_output_that_slurm_empties_is_complete(self):
        job = submit(HEAD + "count line 1 60\ngate go\ncount line 61 70\n", "--open-mode=truncate", name="truncate")
        job.wait_output("line 20")
        requeue(job, to="n2")
        job.wait_output("restored generation 1")
        requeue(job, to="n1")
        wait_for("it is restored again", lambda: "restored generation 2" in job.output())
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), [f"line {i}" for i in range(1, 71)])

    def test_array_elements_that_append_to_one_file(self):
        script = HEAD + """exec 3>>../results.csv
for ((i = 1; i <= 60; i++)); do echo "$SLURM_ARRAY_TASK_ID,$i" >&3; sleep 0.05; done
gate go
echo "$SLURM_ARRAY_TASK_ID,end" >&3
"""
        array = submit(script, "--array=0-2", output="/home/alice/files/element-%a.out", name="array")
        results = array.path("../results.csv")
        elements = [array_element(array, i) for i in range(3)]
        for i, element in enumerate(elements):
            wait_for("lines of every element", lambda: results.exists() and results.read_text().count(f"{i},") > 10 * (i + 1))
            requeue(element, to="n2")
        for element in elements:
            element.wait_output("restored generation 1")
        array.path("go").touch()
        for info in wait_all(elements):
            self.assert_ended(info)
        expected = [f"{i},{k}" for i in range(3) for k in [*range(1, 61), "end"]]
        self.assertEqual(sorted(results.read_text().splitlines()), sorted(expected))

    def test_a_directory_of_the_node_that_only_tmpdir_names(self):
        for node in ("n1", "n2"):
            cluster.run(node, "install", "-d", "-o", "alice", "-m", "700", LOCAL)
            self.addCleanup(cluster.run, node, "rm", "-r", LOCAL)
        job = submit(HEAD + 'exec /shared/programs/uses_tmp.py "$TMPDIR"\n', prefix=(f"TMPDIR={LOCAL}",), name="tmpdir")
        job.wait_output("ready")
        requeue(job, to="n2")
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output())[-2:], ["state before and after | state before and after", "before before"])


main()
