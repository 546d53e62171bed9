# SPDX-License-Identifier: GPL-2.0-or-later
"""What the product leaves where users and admins see it: lines in the output, the store, the policy; and what it must not leave."""

import copy
import json
import re

from lib.cluster import COMPUTE, NODES, cluster
from lib.waiting import wait_for

POLICY_FILE = "/etc/slurm/checkpoint.yaml"
STORE = "/shared/checkpoints"
LOCAL = "/var/spool/slurm-checkpoint/local"
POLICY = {"limits": {"min_interval": "1s"}, "storage": {"base": STORE, "local": LOCAL}, "slurmctld": {"spread": "1s"}}


def policy_text(**changes):
    """The tests' policy as YAML; CHANGES are sections: engine={"criu": "/…"}."""
    policy = copy.deepcopy(POLICY)
    for section, values in changes.items():
        policy.setdefault(section, {}).update(values)
    lines = ["version: 1"]
    for section, values in policy.items():
        lines += [f"{section}:", *(f"  {key}: {value}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def set_policy(*nodes, text=None, **changes):
    """Put a policy on NODES and have their daemons read it."""
    for node in nodes:
        cluster.write(node, POLICY_FILE, policy_text(**changes) if text is None else text)
        restart_daemon(node)


def clear_policy(*nodes):
    """The tests' policy on NODES again."""
    set_policy(*nodes)


def restart_daemon(node):
    if node in COMPUTE:
        cluster.service(node, "ckptd", "restart")
        wait_for_daemon(node)


def daemon_answers(node):
    """Be it with an error, as without a key."""
    return "CKPT-301" not in cluster.attempt(node, "sckpt", "list").stderr


def wait_for_daemon(node):
    wait_for(f"ckptd of {node} answers", lambda: daemon_answers(node), timeout=20)


def product_lines(output):
    """The lines of a job's output that are ours, without "checkpoint: "."""
    return [line.removeprefix("checkpoint: ") for line in output.splitlines() if line.startswith("checkpoint: ")]


def complaints(output):
    """Of these, the ones that are no news of success."""
    return [line for line in product_lines(output) if not line.startswith(("generation ", "restored generation ")) or " not " in line or " is skipped" in line]


# What a line begins with that is not the application's, with srun --label or without: slurmstepd's name or, since Slurm 25.05, the time.
SLURM_OR_US = re.compile(r"(?:\d+: )?(?:checkpoint: |slurmstepd-|srun: |\[\d{4}-\d\d-\d\dT[\d:.]+\] error: )")


def application_lines(output):
    """The lines that the application wrote: neither ours nor Slurm's."""
    return [line for line in output.splitlines() if not re.match(SLURM_OR_US, line)]


def wait_restored(job, restarts):
    """Until JOB goes on in that life. One that ends before it could be saved leaves no line: the next one cuts the output back."""
    def restored():
        info = job.info()
        lines = [line for line in product_lines(job.output()) if line.startswith("restored generation ")]
        return info["Restarts"] == str(restarts) and lines and lines[-1].endswith(f" on {info.get('BatchHost')}")

    wait_for(f"{job} is restored in its life {restarts}", restored)


def generations(job):
    """What `sckpt list` tells the user about a job."""
    text = cluster.run("n1", "sckpt", "list", "--json", "--job", job.id, user=job.user)
    return [json.loads(line) for line in text.splitlines()]


def assert_clean(*jobs, nodes=COMPUTE):
    """Nothing of these jobs, which have ended, is left on NODES, and Slurm finds nothing wrong with them."""
    ids = [job.id for job in jobs]
    names = {word for job in jobs for word in (str(job.id), job.cgroup())}

    def leftovers():
        return "".join(cluster.run(node, "/shared/programs/leftovers.py", *names) for node in nodes)

    def states():
        text = cluster.run("ctl", "sinfo", "--noheader", "--Node", "--format=%N %T")
        return [line for line in text.splitlines() if line.split()[0] in nodes and not line.endswith((" idle", " mixed", " allocated"))]

    try:
        wait_for(f"nothing of jobs {ids} is left", lambda: not leftovers() and not states(), timeout=20)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{leftovers()}{states()}") from None


def reset():
    """Whatever an earlier test program has done: no jobs, every node on, the tests' policy, the key, a running daemon."""
    cluster.run("ctl", "scancel", "--user=alice")
    cluster.run("ctl", "scancel", "--user=bob")
    for node in COMPUTE:
        if not cluster.is_on(node):
            cluster.start_node(node)
    wait_for("no job runs", lambda: not cluster.run("ctl", "squeue", "--noheader"))
    for node in NODES:
        if cluster.read(node, POLICY_FILE) != policy_text():
            set_policy(node)
        elif node in COMPUTE and not daemon_answers(node):
            restart_daemon(node)
