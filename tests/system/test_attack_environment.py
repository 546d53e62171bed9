# SPDX-License-Identifier: GPL-2.0-or-later
"""alice would have her own programs run in place of ours, or by them: by what is in her environment, her home, her namespaces. They leave marks
wherever they run, with the rights that they have there."""

from lib import *
from lib.attack import daemon

ALICE = "2001"
NONE = "0" * 16
MARKS = "/shared/scratch/alice/marks"
BODY = """. /shared/programs/gate.sh
count line 1 10
gate go
count line 11 20
exit 7
"""
CONF = """action-script {directory}/bin/criu
libdir {directory}/lib
log-file {directory}/criu.log
"""
LIBRARIES = ("libmark.so", "libaudit.so", "libc.so.6.mark", "libprotobuf-c.so.1", "libzstd.so.1", "libcrypto.so.3", "libslurm.so", "libmunge.so.2",
             "libnet.so.9", "amdgpu_plugin.so")
PROGRAMS = ("criu", "ckpt-init", "ckpt-tracer", "ckpt-writer", "ckpt-engine", "ckpt-sealer", "iptables", "nft", "iptables-restore", "tar", "ip")
WITH_ANOTHER = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
{program} 1000 &
echo ready
wait $!
echo alone
gate go
exit 7
"""
EXPECTED = [f"line {i}" for i in range(1, 21)]


def prepare(directory):
    """Her own of everything that ours might look for by a name, below DIRECTORY."""
    script = 'rm -f "$1"; mkdir -p "$2" && cd "$2" && mkdir -p bin lib tmp "$HOME/.criu"; shift 2; printf %s "$1" >criu.conf; cp criu.conf "$HOME/.criu/default.conf"; ' \
             'shift; for l in $1; do cp /shared/programs/attack_marks.so lib/$l; done; for p in $2; do cp /shared/programs/attack_marks bin/$p; done'
    cluster.run("n1", "sh", "-ec", script, "sh", MARKS, directory, CONF.format(directory=directory), " ".join(LIBRARIES), " ".join(PROGRAMS), user="alice")


def marks():
    """[(name, uid, effective uid, capabilities)...] of whoever has loaded or run something of hers."""
    path = cluster.shared(MARKS)
    return [tuple(line.rsplit(" ", 3)) for line in path.read_text().splitlines()] if path.exists() else []


class Environment(SystemTest):
    def setUp(self):
        self.directory = "/shared/scratch/alice/attack"
        prepare(self.directory)
        self.addCleanup(cluster.run, "n1", "sh", "-c", f'rm -rf "$HOME/.criu" {self.directory} {MARKS}', user="alice")
        self.daemons = {node: daemon(node) for node in ("n1", "n2")}

    def assert_nobody_elses(self, *own):
        """Hers ran, where a program of her job started it, and nowhere else: not with another uid, not with a capability, not in ours."""
        found = marks()
        self.assertTrue(set(own) <= {name for name, *_ in found}, found)
        self.assertEqual({one[1:] for one in found}, {(ALICE, ALICE, NONE)}, found)
        self.assertEqual([name for name, *_ in found if name.startswith(("criu", "ckpt-"))], [])
        self.assertEqual({node: daemon(node) for node in ("n1", "n2")}, self.daemons)

    def goes_on(self, job):
        job.wait_output("line 10")
        self.assertIn("generation 1", cluster.run("n1", "sckpt", "create", job.id, user="alice"))
        requeue(job, to="n2")
        job.wait_output("restored generation 2")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(complaints(job.output()), [])
        assert_clean(job)

    def variables(self):
        where = self.directory
        return [f"{name}={value}" for name, value in {
            "LD_PRELOAD": f"{where}/lib/libmark.so", "LD_LIBRARY_PATH": f"{where}/lib", "LD_AUDIT": f"{where}/lib/libaudit.so", "PATH": f"{where}/bin:/usr/bin:/bin",
            "TMPDIR": f"{where}/tmp", "TMP": f"{where}/tmp", "CRIU_CONFIG_FILE": f"{where}/criu.conf", "CRIU_LIBS_DIR": f"{where}/lib", "GLIBC_TUNABLES": "glibc.malloc.check=3",
            "HOME": "/home/alice", "XDG_CONFIG_HOME": where, "ATTACK_MARKS": MARKS}.items()]

    def test_everything_that_steers_a_program(self):
        """In the environment of the shim, of ckpt-init and of the program: it is the job's from its first process on."""
        job = submit("#!/bin/bash\n#SBATCH --checkpoint-interval=none\n" + BODY, "--export", ",".join(["ALL", *self.variables()]))
        self.goes_on(job)
        self.assert_nobody_elses("slurm_script", "sleep")

    def test_in_a_user_namespace(self):
        """With /proc and CRIU of her own, where she is root: nothing of hers is run, the job is refused with the reason and runs on."""
        inside = f"mount --bind {self.directory}/bin/criu /usr/sbin/criu && /usr/sbin/criu; mount -t tmpfs none /run; mkdir -p /run/ckptd; exec bash -c '{BODY}'"
        script = f"#!/bin/bash\n#SBATCH --checkpoint-interval=none\ncat >inside <<'END'\n{inside}\nEND\nunshare --user --map-root-user --mount --pid --fork --mount-proc bash inside\nexit $?\n"
        job = submit(script)
        job.wait_output("line 10")
        self.assertTrue(marks(), "hers is in the place of CRIU, in there")
        before = len(marks())
        done = cluster.attempt("n1", "sckpt", "create", job.id, user="alice")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(namespace of its own|rights that are not the user's own).*\[CKPT-403\]")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        self.assertEqual(application_lines(job.output()), EXPECTED)
        self.assertEqual(len(marks()), before)
        self.assertEqual({node: daemon(node) for node in self.daemons}, self.daemons)
        assert_clean(job)

    def test_the_sites_own_files_are_not_hers(self):
        """Nor can she make them where they are missing."""
        for path in ("/etc/criu", "/etc/slurm/checkpoint.yaml", "/etc/slurm/checkpoint.key", "/run/ckptd/x", "/run/ckptd/steps/x", "/run/ckptd/asked/x",
                     "/var/spool/slurm-checkpoint/x", "/var/spool/slurm-checkpoint/local/x", "/usr/sbin/criu", "/usr/sbin/ckptd"):
            for argv in (("touch", path), ("mkdir", path), ("ln", "-sf", "/tmp", path), ("rm", "-rf", path)):
                there = cluster.attempt("n1", "stat", "--format=%i %Y", path).stdout
                done = cluster.attempt("n1", *argv, user="alice")
                self.assertTrue(done.returncode or argv[0] == "rm" and not there, argv)
                self.assertEqual(cluster.attempt("n1", "stat", "--format=%i %Y", path).stdout, there, argv)
        for argv in (("cat", "/etc/slurm/checkpoint.key"), ("ls", "/var/spool/slurm-checkpoint/local")):
            self.assertNotEqual(cluster.attempt("n1", *argv, user="alice").returncode, 0, argv)


class OtherRights(SystemTest):
    """Programs with more or other rights than the user's, in the tree: refused with the reason, until they have ended. The job runs on."""

    PLACE = "/usr/local/libexec/attack"

    def setUp(self):
        self.addCleanup(cluster.run, "n1", "rm", "-rf", self.PLACE)
        cluster.run("n1", "install", "-d", "-m", "755", self.PLACE)

    def run_with(self, name, *commands):
        program = f"{self.PLACE}/{name}"
        cluster.run("n1", "cp", "/usr/bin/sleep", program)
        for command in commands:
            cluster.run("n1", *command, program)
        job = submit(WITH_ANOTHER.format(program=program), name=name)
        job.wait_output("ready")
        wait_for("it runs", lambda: cluster.attempt("n1", "pgrep", "--exact", name).returncode == 0)
        with self.subTest(name):
            done = cluster.attempt("n1", "sckpt", "create", job.id, user="alice")
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"runs with rights that are not the user's own.*\[CKPT-403\]")
        cluster.run("n1", "pkill", "-KILL", "--exact", name)
        job.wait_output("alone")
        with self.subTest(f"{name}, when it has ended"):
            self.assertIn("generation", cluster.run("n1", "sckpt", "create", job.id, user="alice"))
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "7:0")
        assert_clean(job)

    def test_set_user_id(self):
        self.run_with("rootly", ("chmod", "4755"))

    def test_of_another_user(self):
        self.run_with("bobly", ("chown", "bob:bob"), ("chmod", "4755"))

    def test_set_group_id(self):
        self.run_with("grouply", ("chown", "root:daemon"), ("chmod", "2755"))

    def test_capabilities(self):
        self.run_with("capably", ("setcap", "cap_net_raw+ep"))


if __name__ == "__main__":
    main()
