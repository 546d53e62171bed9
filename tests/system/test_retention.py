# SPDX-License-Identifier: GPL-2.0-or-later
"""What stays in the store after its job, for how long, what a user may have there, and whether it is still whole."""

import json

from lib import *

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=none
. /shared/programs/gate.sh
count line 1 20
gate go
echo "the end"
exit $(cat status)
"""
EXPECTED = [*(f"line {i}" for i in range(1, 21)), "the end"]


def sckpt(*arguments, user="alice"):
    return cluster.attempt("n1", "sckpt", *arguments, user=user)


def removals(*options, user="alice"):
    """What `sckpt prune --json` says, or would do, of each generation."""
    done = sckpt("prune", "--json", *options, user=user)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def those_of(job, lines):
    return [(one["incarnation"], one["generation"]) for one in lines if one["job"] == job.id]


def saved(job):
    return [(one["incarnation"], one["generation"]) for one in generations(job)]


def of_job(base, job):
    """The job's directory in the store."""
    found = list(cluster.shared(base).glob(f"{job.user}/*/{job.id}-*"))
    assert len(found) == 1, found
    return found[0]


def damage(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


class Retention(SystemTest):
    def started(self, name, status=0, saves=1):
        job = submit(SCRIPT, name=name)
        job.path("status").write_text(f"{status}\n")
        job.wait_output("line 20")
        for _ in range(saves):
            done = sckpt("create", job.id)
            self.assertEqual(done.returncode, 0, done.stderr)
        return job

    def finish(self, job):
        job.path("go").touch()
        self.assert_ended(end(job))
        self.assertEqual(application_lines(job.output()), EXPECTED)

    def test_a_cancelled_job_stays_for_its_time(self):
        running, cancelled = self.started("running", saves=2), self.started("cancelled", saves=2)
        cancelled.as_user("scancel", cancelled.name)
        end(cancelled)
        both = [(0, 1), (0, 2)]
        self.assertEqual([saved(running), saved(cancelled)], [both, both])
        with self.subTest("within its time"):
            self.assertEqual(those_of(cancelled, removals("--dry-run")), [])
        set_policy("n1", retention={"after_end": "1s"})
        self.addCleanup(clear_policy, "n1")
        with self.subTest("said, and not done"):
            wait_for("its time is over", lambda: those_of(cancelled, removals("--dry-run")))
            lines = removals("--dry-run")
            self.assertEqual((those_of(running, lines), those_of(cancelled, lines)), ([], both))
            self.assertEqual({one["done"] for one in lines}, {False})
            self.assertEqual([saved(running), saved(cancelled)], [both, both])
        with self.subTest("another user"):
            self.assertEqual(those_of(cancelled, removals(user="bob")), [])
            self.assertIn("CKPT-303", sckpt("prune", "--user", "alice", user="bob").stderr)
        with self.subTest("done"):
            lines = removals()
            self.assertEqual((those_of(running, lines), those_of(cancelled, lines)), ([], both))
            self.assertEqual([saved(running), saved(cancelled)], [both, []])
            self.assertEqual(list(cluster.shared("/shared/checkpoints/alice").glob(f"*/{cancelled.id}-*")), [])
        requeue(running, to="n2")
        running.wait_output("restored generation 3")
        self.finish(running)
        assert_clean(running, cancelled)

    def test_what_is_over_goes_by_itself(self):
        set_policy("n1", retention={"after_end": "1s", "every": "2s"})
        self.addCleanup(clear_policy, "n1")
        running, cancelled = self.started("goes-on"), self.started("goes")
        cancelled.as_user("scancel", cancelled.name)
        end(cancelled)
        wait_for("the node has pruned", lambda: not list(cluster.shared("/shared/checkpoints/alice").glob(f"*/{cancelled.id}-*")))
        self.assertEqual(saved(running), [(0, 1)])
        requeue(running, to="n2")
        running.wait_output("restored generation 2")
        self.finish(running)
        assert_clean(running, cancelled)

    def test_root_prunes_for_everybody(self):
        set_policy("n1", retention={"after_end": "1s"})
        self.addCleanup(clear_policy, "n1")
        jobs = []
        for user in ("alice", "bob"):
            job = submit(SCRIPT, name=user, user=user)
            job.wait_output("line 20")
            self.assertEqual(sckpt("create", job.id, user=user).returncode, 0)
            job.as_user("scancel", job.name)
            end(job)
            jobs.append(job)
        self.assertTrue({job.id for job in jobs} <= {json.loads(line)["job"] for line in sckpt("list", "--json", user="root").stdout.splitlines()})
        wait_for("both are over", lambda: all(those_of(job, removals("--dry-run", user="root")) for job in jobs))
        removals("--user", "bob", user="root")
        self.assertEqual([saved(job) for job in jobs], [[(0, 1)], []])
        removals(user="root")
        self.assertEqual([saved(job) for job in jobs], [[], []])

    def test_a_users_limit(self):
        base = "/shared/limited"
        cluster.run("n1", "install", "-d", "-m", "711", base)
        set_policy("n1", storage={"base": base})
        self.addCleanup(clear_policy, "n1")
        failed = self.started("failed", status=3)
        failed.path("go").touch()
        self.assert_ended(end(failed), "FAILED", "3:0")
        stored = generations(failed)[0]["stored_bytes"]
        running = submit(SCRIPT, name="limited")
        running.path("status").write_text("0\n")
        running.wait_output("line 20")
        set_policy("n1", storage={"base": base}, retention={"user_limit": stored})
        with self.subTest("what has ended makes room"):
            wait_for("the new daemon saves it", lambda: sckpt("create", running.id).returncode == 0)
            self.assertEqual([saved(failed), saved(running)], [[], [(0, 1)]])
        with self.subTest("what runs does not"):
            done = sckpt("create", running.id)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"your checkpoints take .* of the .* you may have in /shared/limited/alice; .*sckpt prune.* \[CKPT-602\]")
            self.assertEqual(saved(running), [(0, 1)])
        set_policy("n1", storage={"base": base})
        wait_for("the new daemon saves it", lambda: sckpt("create", running.id).returncode == 0)
        self.finish(running)
        assert_clean(failed, running)

    def test_damage_is_found(self):
        job = self.started("verified")
        pack, = of_job("/shared/checkpoints", job).glob("packs/*")

        def verified():
            done = sckpt("verify", "--noheader", job.id)
            return done.returncode, " ".join(done.stdout.split()[5:]), done.stderr

        self.assertEqual(verified(), (0, "OK", ""))
        damage(pack, 10)
        self.assertEqual(verified(), (0, "OK, 1 block rebuilt from parity", ""))
        damage(pack, pack.stat().st_size // 2)  # never in the first block: the parity behind it is as long
        status, verdict, error = verified()
        self.assertEqual(status, 1)
        self.assertRegex(verdict, "^BAD .")
        self.assertRegex(error, rf"^sckpt: error: 1 of 1 generations are bad; there is no good one of job {job.id}; .* \[CKPT-603\]\n$")
        self.finish(job)

    def test_what_restart_would_submit(self):
        job = self.started("would-restart")
        with self.subTest("while it runs"):
            done = sckpt("restart", job.id)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"^sckpt: error: job {job.id} is running; scontrol requeue {job.id} .* \[CKPT-308\]\n$")
        job.as_user("scancel", job.name)
        end(job)

        def told():
            done = sckpt("restart", "--dry-run", f"{job.id}@1", "--", "--mem=10M", "-p", "debug")
            return done if "is just ending" not in done.stderr else None

        with self.subTest("when it has ended"):
            done = wait_for(f"{job} is cleaned up", told)
            command, script = done.stdout.split("\n", 1)
            self.assertRegex(command, rf"/sbatch --parsable --checkpoint-restore={job.id}@1 --job-name=sbatch --mem=10M -p debug <<'SCRIPT'$", done.stderr)
            self.assertEqual(script, SCRIPT + "SCRIPT\n")
        with self.subTest("of nothing"):
            self.assertRegex(sckpt("restart", f"{job.id}@7").stderr, r"has no generation 7; .* \[CKPT-304\]\n$")
            self.assertIn("CKPT-101", sckpt("restart", "never").stderr)

    def test_a_cancelled_job_goes_on_as_another(self):
        job = self.started("cancelled-for-good")
        job.as_user("scancel", job.name)
        end(job)

        def submitted():
            done = sckpt("restart", job.id, "--", "--nodelist=n1", f"--chdir={job.directory}", f"--output={job.directory}/on.out")
            return done if "is just ending" not in done.stderr else None

        done = wait_for(f"{job} is cleaned up", submitted)
        self.assertEqual(done.returncode, 0, done.stderr)
        on = Job(done.stdout.strip(), job.directory, f"{job.directory}/on.out", job.user)
        on.wait_output("restored generation 1")
        with self.subTest("what it goes on from stays"):
            set_policy("n1", retention={"after_end": "1s"})
            self.addCleanup(clear_policy, "n1")
            self.assertEqual(those_of(job, removals()), [])
            self.assertEqual(saved(job), [(0, 1)])
        on.path("go").touch()
        self.assert_ended(end(on))
        self.assertEqual(application_lines(job.output()) + application_lines(on.output()), EXPECTED)
        assert_clean(job, on)

    def test_too_little_room_is_said_at_submit(self):
        job = submit("#!/bin/sh\ntrue\n", "--checkpoint", "--mem=100M", name="small")
        self.assertNotIn("CKPT-107", job.advice)
        set_policy("ctl", retention={"user_limit": "150M"})
        self.addCleanup(clear_policy, "ctl")
        job = submit("#!/bin/sh\ntrue\n", "--checkpoint", "--mem=100M", name="large")
        self.assertRegex(job.advice, r"about 200 MiB \(2 of up to 100 MiB\), of the 150 MiB that you may have in /shared/checkpoints/alice; .*\[CKPT-107\]")
        self.assert_ended(end(job))


main()
