# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages, from a fresh cluster to a clean one: made (lintian looks at them there), installed, switched on as docs/packages.md
says, upgraded and removed under running jobs, purged. A job that has nothing to do with checkpoints runs through all of it."""

import re

from lib import *
from lib.cluster import COMPUTE, NODES
from lib.packages import BUILD, in_rootfs, make_packages, with_version
from lib.product import STORE

EXAMPLES = "/usr/share/slurm-checkpoint/examples"
OURS = ("slurm-checkpoint", "slurm-checkpoint-plugin")
SCRIPT = """#!/bin/bash
. /shared/programs/gate.sh
srun --ntasks=1 echo one step
count line 1 20
gate go
srun --ntasks=1 echo another step
count line 21 30
exit 7
"""
EXPECTED = ["one step", *(f"line {i}" for i in range(1, 21)), "another step", *(f"line {i}" for i in range(21, 31))]
# docs/packages.md, "Removing": what an admin has made stays.
KEPT = {"/etc/slurm/checkpoint.key", "/etc/slurm/checkpoint.yaml", "/etc/slurm/plugstack.conf.d/checkpoint.conf"}
OF_THE_TEST = {"/var/log/ckptd.log", "/var/tmp/slurm-checkpoint-tests.mounts"}


def everywhere(*argv):
    for node in NODES:
        cluster.run(node, *argv)


def traces(node):
    """Files that are named after us, wherever they are."""
    names = ("-iname", "*ckpt*", "-o", "-iname", "*slurm*checkpoint*", "-o", "-name", "checkpoint*", "-o", "-name", "sckpt*")
    return set(cluster.run(node, "find", "/etc", "/usr", "/var", "/run", "/opt", "/srv", *"-xdev (".split(), *names, ")").splitlines())


def forget_systemctl():
    everywhere("sh", "-c", ">/var/log/systemctl.log")


def asked_of_systemctl(node):
    return [line for line in cluster.read(node, "/var/log/systemctl.log").splitlines() if not line.startswith("is-")]


class Packages(SystemTest):
    def test_a_life_with_the_packages(self):
        everywhere("install", "-D", "-m", "755", "/shared/programs/systemctl.sh", "/usr/local/sbin/systemctl")
        everywhere("mkdir", "-p", "/run/systemd/system")  # by which maintainer scripts know that there is systemd
        self.before = {node: traces(node) for node in NODES}
        bystander = submit(SCRIPT, node="n1", name="bystander")
        bystander.wait_output("line 20")
        packages = make_packages()
        self.install(packages)
        self.fits_one_slurm(packages)
        self.switch_on()
        job = self.use()
        self.upgrade([with_version(package, "1:0.2-1") for package in packages], job)
        jobs = self.remove()
        self.without(jobs)
        self.purge()
        self.finish(bystander)
        self.assertEqual(product_lines(bystander.output()), [])

    def finish(self, *jobs):
        for job in jobs:
            job.path("go").touch()
        for job in jobs:
            self.assert_ended(end(job), "FAILED", "7:0")
            self.assertEqual(application_lines(job.output()), EXPECTED)

    def install(self, packages):
        forget_systemctl()
        everywhere("dpkg", "--install", *packages)
        for node in NODES:
            self.assertRegex(cluster.run(node, "getent", "passwd", "slurm-checkpoint"), ":/usr/sbin/nologin\n$")
            self.assertEqual(cluster.run(node, "stat", "--format=%U %a", "/var/spool/slurm-checkpoint"), "root 711\n")
            self.assertEqual(set(asked_of_systemctl(node)), {"daemon-reload"}, "nothing is started before an admin does")
            self.assertNotEqual(cluster.attempt(node, "pgrep", "--exact", "ckptd").returncode, 0)
            self.assertFalse({path for path in traces(node) - self.before[node] if path.startswith("/etc/slurm")}, "no key, no policy, nothing switched on")
        self.assertIn("unrecognized option", attempt_submit("#!/bin/sh\n", "--checkpoint").stderr)

    def fits_one_slurm(self, packages):
        """A Slurm of another major version and this plugin cannot be installed at once."""
        version = cluster.run("ctl", "dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "slurm-wlm-basic-plugins")
        year, month = version.split(".")[:2]
        plugin, = (package for package in packages if "-plugin_" in package)
        depends = cluster.run("ctl", "dpkg-deb", "--field", plugin, "Depends")
        self.assertIn(f"slurm-wlm-basic-plugins (>= {year}.{month}~)", depends)
        limit = re.search(r"slurm-wlm-basic-plugins \(<< (\S+)\)", depends)[1]
        for other, fits in ((f"{year}.{month}.99-1", True), (f"{year}.{int(month) + 6}.0-1", False), (f"{int(year) + 1}.05.0-1", False)):
            compared = cluster.attempt("ctl", "dpkg", "--compare-versions", other, "lt", limit)
            self.assertEqual(compared.returncode == 0, fits, f"{other} {limit}")

    def switch_on(self):
        """docs/packages.md, "Installing"."""
        cluster.run("ctl", "sckpt", "key", "create")
        cluster.run("ctl", "install", "-D", "-m", "600", "/etc/slurm/checkpoint.key", "/shared/root/key")
        everywhere("install", "-m", "600", "/shared/root/key", "/etc/slurm/checkpoint.key")
        cluster.run("ctl", "install", "-d", "-m", "711", STORE)
        everywhere("sh", "-ec", f"sed 's|^  base: .*|  base: {STORE}|' {EXAMPLES}/checkpoint.yaml >/etc/slurm/checkpoint.yaml")
        everywhere("sckpt", "policy", "check")
        everywhere("install", "-m", "644", f"{EXAMPLES}/plugstack-checkpoint.conf", "/etc/slurm/plugstack.conf.d/checkpoint.conf")
        everywhere("systemctl", "enable", "--now", "ckptd.socket", "ckptd.service")
        for node in COMPUTE:
            cluster.service(node, "slurmd", "restart")
            cluster.run(node, "/shared/programs/leftovers.py", "--baseline")

    def use(self):
        job = submit(SCRIPT, "--checkpoint-interval=none", node="n1", name="upgraded")
        job.wait_output("line 20")
        self.create(job, "n1", 1)
        requeue(job, to="n2")
        job.wait_output("restored generation")
        listed = generations(job)
        self.assertEqual([one["generation"] for one in listed], [1, 2])
        cluster.run("ctl", "sckpt", "verify", user="alice")
        return job

    def create(self, job, node, number):
        said = cluster.run(node, "sckpt", "create", job.id, user="alice")
        self.assertEqual(said, f"generation {number} of job {job.id} saved\n")

    def upgrade(self, newer, job):
        daemons = {node: cluster.run(node, "pgrep", "--exact", "ckptd") for node in NODES}
        forget_systemctl()
        everywhere("dpkg", "--install", *newer)
        for node in NODES:
            self.assertEqual(set(asked_of_systemctl(node)), {"daemon-reload", "restart ckptd.service", "start ckptd.socket"})
            self.assertNotEqual(cluster.run(node, "pgrep", "--exact", "ckptd"), daemons[node])
        self.create(job, "n2", 3)
        requeue(job, to="n1")
        job.wait_output("restored generation 4")
        self.finish(job)
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def remove(self):
        """Under one job that has been restored and one that has not; the jobs."""
        jobs = [submit(SCRIPT, "--checkpoint-interval=none", node="n1", name=name) for name in ("restored", "running")]
        for job in jobs:
            job.wait_output("line 20")
        requeue(jobs[0], to="n2")
        jobs[0].wait_output("restored generation")
        forget_systemctl()
        everywhere("dpkg", "--remove", *OURS)
        for node in NODES:
            self.assertEqual(set(asked_of_systemctl(node)), {"daemon-reload", "stop ckptd.socket", "stop ckptd.service"})
            self.assertNotEqual(cluster.attempt(node, "pgrep", "--exact", "ckptd").returncode, 0)
        return jobs

    def without(self, jobs):
        """They go on without us; plugstack.conf still names the plugin, and new jobs start."""
        self.finish(*jobs)
        new = submit(SCRIPT, node="n2", name="new")
        self.finish(new)
        self.assertEqual(product_lines(new.output()), [])
        self.assertIn("unrecognized option", attempt_submit("#!/bin/sh\n", "--checkpoint").stderr)

    def purge(self):
        everywhere("dpkg", "--purge", *OURS)
        for node in NODES:
            self.assertEqual(traces(node) - self.before[node] - OF_THE_TEST, KEPT, node)
            self.assertEqual(cluster.run(node, "sh", "-c", "grep /ckptd /proc/self/mounts || true"), "")

    def test_rpms(self):
        """They can be made, of the same build, and know their Slurm."""
        version = cluster.run("ctl", "dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "slurm-wlm-basic-plugins")
        year, month = version.split(".")[:2]
        script = """packaging/build-rpm --built "$1" --plugin-dir "$2" /tmp/rpms >/dev/null
            rpm --query --requires --package /tmp/rpms/slurm-checkpoint-plugin-*.rpm"""
        plugins = cluster.run("ctl", "sh", "-c", "echo /usr/lib/*/slurm-wlm").strip()
        requires = in_rootfs("sh", "-ec", script, "sh", f"/build/{BUILD.name}", plugins).splitlines()
        self.assertIn(f"slurm >= {year}.{month}", requires)
        self.assertIn(f"slurm < {year}.{int(month) + 1:02}", requires)


main(start=lambda: None)
