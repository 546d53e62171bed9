# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of the packages under a real systemd, which nodes of the cluster do not have: a machine of its own that is a whole cluster.
A job is saved, restored, outlives an upgrade of the packages, a daemon that is killed, and the removal of all."""

import os
import tempfile
from pathlib import Path

from lib import *
from lib.packages import make_packages, with_version

# Modules of tests/cluster, which lib.cluster has made known.
import container
import rootfs
import slurm
from clusters import Cluster
from container import Machine

ADDRESS = "10.99.99.1"  # in a network of its own; Slurm resolves names only where there is one
# A step runs all the time: its srun, ckptd and the job's shim find each other in a directory that ckptd has mounted. What children of a
# restored process may do, and under which filters and limits, is what it was before.
SCRIPT = """#!/bin/bash
cd /home/alice
rm -f units-go
inherited() { grep -E '^(NoNewPrivs|Seccomp|CapBnd|CapAmb)' /proc/self/status; umask; ulimit -H -a; }
export -f inherited
srun --ntasks=1 bash -c '. /shared/programs/gate.sh; inherited >units-before; count line 1 20; gate units-go
    count line 21 30; inherited >units-after; exit 3'
echo "status $?"
cmp units-before units-after && srun --ntasks=1 echo another step
"""
EXPECTED = [*(f"line {i}" for i in range(1, 31)), "status 3", "another step"]
OUTPUT = "/home/alice/units.out"
PREPARE = f"""
    hostname units
    ip link add slurm0 type veth peer name slurm1
    ip addr add {ADDRESS}/24 dev slurm0
    ip link set slurm0 up
    ip link set slurm1 up
    printf '127.0.0.1 localhost\\n{ADDRESS} units\\n' >/etc/hosts
    printf 'CgroupPlugin=cgroup/v2\\nIgnoreSystemd=yes\\n' >/etc/slurm/cgroup.conf
    mkdir -p /etc/systemd/system/slurmd.service.d
    printf '[Service]\\nEnvironment=LD_PRELOAD=/usr/libexec/cluster/hybrid-cgroup.so\\n' >/etc/systemd/system/slurmd.service.d/hybrid.conf
    systemctl daemon-reload
    install -m 711 -d /shared/units
    systemctl restart munge slurmctld slurmd"""
SWITCH_ON = """
    sckpt key create
    sed 's|^  base: .*|  base: /shared/units|' /usr/share/slurm-checkpoint/examples/checkpoint.yaml >/etc/slurm/checkpoint.yaml
    systemctl enable --now ckptd.socket ckptd
    echo 'optional checkpoint.so' >/etc/slurm/plugstack.conf
    systemctl restart slurmd"""


class Units(SystemTest):
    def setUp(self):
        """The machine ends with the cluster, in whose cgroup it is, at the latest."""
        cgroup = Cluster(cluster.name).cgroup.machine("units")
        mount_point = Path(tempfile.mkdtemp())
        self.addCleanup(mount_point.rmdir)
        shared = cluster.shared("/shared")
        machine = Machine("units", rootfs.layers(), mount_point, cgroup=cgroup, binds=[(shared, "/shared", False), (shared / "home", "/home", False)])
        os.environ["container"] = "other"  # systemd then leaves the machine's hardware alone
        self.pid = container.start(machine, ["/usr/lib/systemd/systemd"])
        self.addCleanup(cgroup.kill_and_remove)
        wait_for("systemd is there", lambda: self.attempt("systemctl", "is-active", "basic.target")[0] == 0)

    def attempt(self, *argv, user="root"):
        read_end, write_end = os.pipe()

        def command():
            null = os.open("/dev/null", os.O_RDWR)
            for number, source in enumerate((null, write_end, write_end)):
                os.dup2(source, number)
            container.execute(argv, user)

        child = container.enter(self.pid, command)
        os.close(write_end)
        with open(read_end, errors="replace") as output:
            text = output.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text

    def on_machine(self, *argv, user="root"):
        status, text = self.attempt(*argv, user=user)
        self.assertEqual(status, 0, f"{' '.join(argv)}: {text}")
        return text

    def main_pid(self):
        return int(self.on_machine("systemctl", "show", "--property=MainPID", "--value", "ckptd"))

    def wait_output(self, text):
        path = cluster.shared(OUTPUT)
        wait_for(f"the job writes {text!r}", lambda: path.exists() and text in path.read_text())

    def create(self, job):
        """It is answered also by a daemon that has just been restarted, which waits for the job's shim."""
        wait_for("a checkpoint is saved", lambda: self.attempt("sckpt", "create", job, user="alice")[0] == 0, timeout=20)

    def test_a_job_under_the_units(self):
        packages = make_packages()
        text = slurm.slurm_conf("units", 1).replace("SlurmctldHost=ctl", "SlurmctldHost=units").replace("NodeName=n1 ", "NodeName=units ")
        self.on_machine("sh", "-c", 'printf %s "$1" >/etc/slurm/slurm.conf', "sh", text)
        self.on_machine("sh", "-ec", PREPARE)
        self.on_machine("dpkg", "--install", *packages)
        self.assertEqual(self.attempt("systemctl", "is-active", "ckptd", "ckptd.socket")[1], "inactive\ninactive\n")
        self.on_machine("sh", "-ec", SWITCH_ON)
        wait_for("the node is idle", lambda: "idle" in self.attempt("sinfo", "--noheader", "--format=%T")[1])

        cluster.write("ctl", "/shared/units.sh", SCRIPT)
        cluster.shared(OUTPUT).unlink(missing_ok=True)
        job = self.on_machine("sbatch", "--parsable", "--checkpoint-interval=none", "--output", OUTPUT, "/shared/units.sh", user="alice").strip()
        self.wait_output("line 20")
        self.create(job)
        self.on_machine("scontrol", "requeue", job, user="alice")
        self.wait_output("restored generation 2")

        daemon, socket = self.main_pid(), self.on_machine("stat", "--format=%i", "/run/ckptd/ckptd.sock")
        self.on_machine("dpkg", "--install", *(with_version(package, "1:0.2-1") for package in packages))
        self.assertNotEqual(self.main_pid(), daemon)
        self.assertEqual(self.on_machine("stat", "--format=%i", "/run/ckptd/ckptd.sock"), socket, "who connects meanwhile waits in it")
        self.create(job)
        self.wait_output("generation 3 saved")
        daemon = self.main_pid()
        self.on_machine("kill", "-KILL", str(daemon))
        wait_for("systemd starts it again", lambda: self.main_pid() not in (0, daemon))
        self.create(job)

        self.on_machine("dpkg", "--remove", "slurm-checkpoint", "slurm-checkpoint-plugin")
        self.assertEqual(self.attempt("systemctl", "is-active", "ckptd", "ckptd.socket")[1], "inactive\ninactive\n")
        cluster.shared("/home/alice/units-go").touch()
        self.wait_output("another step")
        wait_for("the job ends", lambda: "COMPLETED" in self.on_machine("scontrol", "--oneliner", "show", "job", job))
        self.assertEqual(application_lines(cluster.shared(OUTPUT).read_text()), EXPECTED)
        self.on_machine("dpkg", "--purge", "slurm-checkpoint", "slurm-checkpoint-plugin")
        self.assertEqual(self.attempt("sh", "-c", "ls -d /run/ckptd /usr/libexec/slurm-checkpoint /var/spool/slurm-checkpoint 2>&-")[1], "")


main(start=lambda: None)
