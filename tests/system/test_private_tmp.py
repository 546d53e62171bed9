# SPDX-License-Identifier: GPL-2.0-or-later
"""A job whose /tmp is its own (job_container/tmpfs): what it uses there goes with it to the other node."""

from lib import *
from lib.cluster import COMPUTE

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint
#SBATCH --checkpoint-interval=none
exec /shared/programs/uses_tmp.py /tmp
"""
STEP = """#!/bin/bash
#SBATCH --checkpoint
#SBATCH --checkpoint-interval=none
srun --ntasks=1 /shared/programs/uses_tmp.py /tmp | sed -u 's/^/step: /'
echo "status ${PIPESTATUS[0]}"
"""
# Linux 6.18 numbers namespaces per CPU, and does not bind one that has a lower number than one's own (fs/namespace.c:
# mnt_ns_loop): what slurmstepd then calls "ns base mount failed". Says on which CPU it works.
FIND_CPU = """cd /run && mkdir -p bind && mount -t tmpfs none bind && touch bind/here
for cpu in $(seq 0 $(($(nproc) - 1))); do
    taskset -c $cpu unshare --mount sleep 60 & until [ "$(readlink /proc/$!/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]; do :; done
    mount --bind /proc/$!/ns/mnt bind/here 2>/dev/null && echo $cpu && umount bind/here
    kill $!
done
umount bind
"""


class PrivateTmp(SystemTest):
    def setUp(self):
        for node in COMPUTE:
            cpus = cluster.run(node, "sh", "-c", FIND_CPU).split()
            if not cpus:
                self.skipTest(f"this kernel binds no new mount namespace on {node}")
            cluster.run(node, "sh", "-c", f"taskset --all-tasks --pid --cpu-list {cpus[0]} $(pgrep --oldest --exact slurmd)")

    def test_an_open_and_a_mapped_file(self):
        job = submit(SCRIPT, name="private")
        job.wait_output("ready")
        requeue(job, to="n2")
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), ["ready", "state before and after | state before and after", "before before"])
        assert_clean(job)

    def test_a_step_that_uses_it(self):
        job = submit(STEP, name="step")
        job.wait_output("ready")
        requeue(job, to="n2")
        job.wait_output("restored generation 1")
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()),
                         ["step: ready", "step: state before and after | state before and after", "step: before before", "status 0"])
        assert_clean(job)


main()
