# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be had is said in one line at submit, with what happens instead; the job goes through and ends as it would."""

from lib import *

SLURM_CONF = "/etc/slurm/slurm.conf"
SCRIPT = "#!/bin/sh\necho done\nexit 3\n"


def advice_of(text):
    """Our lines of a submitting command's standard error."""
    return [line.partition("checkpoint: ")[2] for line in text.splitlines() if "checkpoint: " in line]


class Submit(SystemTest):
    def assert_advice(self, expected, *options, prefix=(), info=None):
        """A job with OPTIONS is submitted with the lines EXPECTED and ends as without --checkpoint."""
        job = submit(SCRIPT, "--checkpoint", *options, prefix=prefix)
        self.assertEqual(advice_of(job.advice), expected)
        shown = end(job)
        self.assert_ended(shown, "FAILED", "3:0")
        self.assertEqual(application_lines(job.output()), ["done"])
        for key, value in (info or {}).items():
            self.assertEqual(shown[key], value)
        assert_clean(job)

    def test_nothing_to_say(self):
        self.assert_advice([], "--time=30", "--mem=100M", info={"Requeue": "1"})

    def test_no_requeue(self):
        line = "with --no-requeue the job is saved but never goes on by itself; leave --no-requeue away [CKPT-104]"
        self.assert_advice([line], "--no-requeue", info={"Requeue": "0"})
        self.assert_advice([line], prefix=("SBATCH_NO_REQUEUE=1",), info={"Requeue": "0"})
        self.assert_advice([], "--no-requeue", "--requeue", info={"Requeue": "1"})

    def test_job_requeue_0_in_slurm_conf_is_overruled(self):
        self.append_to_slurm_conf("JobRequeue=0\n")
        self.assert_advice([], info={"Requeue": "1"})
        plain = submit(SCRIPT)
        self.assertEqual(end(plain)["Requeue"], "0")

    def test_a_time_limit_too_short_for_the_reserve(self):
        set_policy("ctl", time_limit={"reserve": "45s"})
        self.addCleanup(clear_policy, "ctl")
        line = ("the last checkpoint begins at half the time limit of 1m, 30s before its end, and may need 45s "
                "(time_limit.reserve); raise it: --time=2 [CKPT-106]")
        self.assert_advice([line], "--time=1")
        self.assert_advice([line], prefix=("SBATCH_TIMELIMIT=1",))
        self.assert_advice([], "--time=2")
        self.assert_advice([], "--time=1", "--checkpoint-on=requeue")

    def test_a_time_limit_too_short_for_the_memory(self):
        self.assert_advice(["the last checkpoint begins at half the time limit of 1m, 30s before its end, and may need 90s "
                            "with this --mem; raise it: --time=3 [CKPT-106]"], "--time=1", "--mem=2033M")
        self.assert_advice([], "--time=3", "--mem=2033M")

    def test_nothing_is_gone_on_from_without_checkpoints(self):
        done = attempt_submit(SCRIPT, "--checkpoint=off", "--checkpoint-restore=1")
        self.assertEqual((done.returncode != 0, done.stdout), (True, ""))
        self.assertIn("error: --checkpoint-restore=1 has no effect with --checkpoint=off; drop one of them [CKPT-102]\n", done.stderr)

    def test_a_heterogeneous_job(self):
        """One that asks for checkpoints is not accepted; one that did not ask runs without."""
        components = ("--nodes=1", ":", "--nodes=1")
        done = attempt_submit(SCRIPT, "--checkpoint", *components)
        self.assertEqual((done.returncode != 0, done.stdout), (True, ""))
        self.assertIn("error: a heterogeneous job cannot be checkpointed; leave --checkpoint away, or submit its components as "
                      "jobs of their own [CKPT-105]\n", done.stderr)
        set_policy("ctl", "n1", "n2", defaults={"enabled": "true"})
        self.addCleanup(clear_policy, "ctl", "n1", "n2")
        job = submit(SCRIPT, *components, node=None)
        self.assert_ended(end(job, timeout=120), "FAILED", "3:0")
        self.assertEqual(application_lines(job.output()), ["done"])
        self.assertEqual(product_lines(job.output()), ["a heterogeneous job cannot be checkpointed [CKPT-105]; the job runs without checkpoints"])
        assert_clean(job)

    def test_no_batch_job(self):
        line = "a step is checkpointed with its script or its allocation; this one runs without checkpoints; use sbatch --checkpoint, or srun in salloc --checkpoint [CKPT-102]"
        for command, advice in (("salloc", []), ("srun", [line])):
            with self.subTest(command):
                done = cluster.attempt("ctl", command, "--checkpoint", "--nodelist=n1", "sh", "-c", "echo done; exit 3", user="alice")
                self.assertEqual((done.returncode, done.stdout), (3, "done\n"), done.stderr)
                self.assertEqual(advice_of(done.stderr), advice)

    def test_a_job_that_a_job_submits(self):
        """It inherits nothing: neither the option nor its form in the environment nor what the outer job is."""
        inner = "#!/bin/bash\nenv | grep -c -e CHECKPOINT -e SPANK\nuntil [[ -e go ]]; do sleep 0.1; done\n"
        outer = submit(f"#!/bin/bash\ncat >inner.sh <<'END'\n{inner}END\nsbatch --parsable --output=inner.out inner.sh >inner.id.new\n"
                       "mv inner.id.new inner.id\nuntil [[ -e go ]]; do sleep 0.1; done\n", "--checkpoint-keep=3")
        outer.wait_file("inner.id")
        job = Job(outer.path("inner.id").read_text().strip(), outer.directory, f"{outer.directory}/inner.out", "alice")
        job.wait_output("\n")
        node = job.info()["NodeList"]
        self.assertIn("is checkpointed on this node", cluster.attempt(node, "sckpt", "explain", job.id, user="alice").stderr)
        self.assertEqual(cluster.attempt("n1", "sckpt", "explain", outer.id, user="alice").returncode, 0)
        outer.path("go").touch()
        for one in (outer, job):
            self.assert_ended(end(one))
        self.assertEqual(application_lines(job.output()), ["0"])
        assert_clean(outer, job)

    def test_what_an_older_plugin_has_stored(self):
        """As Slurm keeps it in the job: an option is accepted in the spellings of earlier releases, a time for --checkpoint, say."""
        job = submit("#!/bin/bash\nuntil [[ -e go ]]; do sleep 0.1; done\n", "--checkpoint=90",
                     prefix=("SBATCH_CHECKPOINT_INTERVAL=2:00:00", "SBATCH_CHECKPOINT_ON=TimeLimit,PREEMPT"))
        job.wait_running("n1")
        text = wait_for("ckptd knows it", lambda: cluster.attempt("n1", "sckpt", "explain", job.id, user="alice").stdout)
        self.assertRegex(text, r"(?m)^interval +2h +user$")
        self.assertRegex(text, r"(?m)^on +timelimit,preempt +user$")
        job.path("go").touch()
        self.assert_ended(end(job))
        assert_clean(job)

    def test_scrontab(self):
        self.append_to_slurm_conf("ScronParameters=enable\n")
        self.addCleanup(cluster.attempt, "ctl", "scrontab", "-r", user="alice")
        table = "#SCRON --checkpoint --checkpoint-keep=3 --chdir=/home/alice\n0 0 1 1 * true\n"
        done = cluster.attempt("ctl", "scrontab", "-", user="alice", input=table)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(advice_of(done.stderr), ["jobs of scrontab run without checkpoints; let the entry submit one with sbatch [CKPT-102]"])
        self.assertIn("--checkpoint-keep=3", cluster.run("ctl", "scrontab", "-l", user="alice"))

    def append_to_slurm_conf(self, line):
        before = cluster.read("ctl", SLURM_CONF)
        self.addCleanup(self.write_slurm_conf, before)
        self.write_slurm_conf(before + line)

    def write_slurm_conf(self, text):
        cluster.write("ctl", SLURM_CONF, text)
        cluster.service("ctl", "slurmctld", "restart")
        wait_for("slurmctld answers", lambda: not cluster.attempt("ctl", "scontrol", "ping").returncode)
        wait_for("the nodes are there", lambda: "down" not in cluster.run("ctl", "sinfo", "--noheader", "--format=%T"))


main()
