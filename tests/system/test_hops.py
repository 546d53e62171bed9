# SPDX-License-Identifier: GPL-2.0-or-later
"""A second and a third requeue of the same job."""

from lib import *

SHELL = """#!/bin/bash
. /shared/programs/gate.sh
for part in 1 2 3; do
    count "part $part line" 1 40 | tee -a copy
    gate "go$part"
done
echo "the end"
"""
NUMPY = "#!/bin/bash\nexec /shared/programs/matrix.py go1 go2 go3\n"


class Hops(SystemTest):
    def test_three_requeues(self):
        scripts = {"shell": SHELL, "numpy": NUMPY}
        references = {name: submit(script, node="n2", name=f"{name}-reference") for name, script in scripts.items()}
        jobs = {name: submit(script, "--checkpoint", node="n1", name=name) for name, script in scripts.items()}
        for part, node in enumerate(("n2", "n1", "n2"), start=1):
            jobs["shell"].wait_output(f"part {part} line 10")
            jobs["numpy"].wait_output(f"step {80 * (part - 1) + 20} ")
            requeue(*jobs.values(), to=node)
            for job in jobs.values():
                wait_for(f"{job} is restored {part} times", lambda: job.output().count("checkpoint: restored generation") == part)
            for job in (*jobs.values(), *references.values()):
                job.path(f"go{part}").touch()
        for name, job in jobs.items():
            with self.subTest(name):
                info = end(job)
                self.assert_ended(info)
                self.assert_ended(end(references[name]))
                self.assertEqual((info["Restarts"], info["BatchHost"]), ("3", "n2"))
                self.assertEqual(application_lines(job.output()), application_lines(references[name].output()))
                self.assertEqual(complaints(job.output()), [])
        self.assertEqual(jobs["shell"].path("copy").read_bytes(), references["shell"].path("copy").read_bytes())
        assert_clean(*jobs.values(), *references.values())


main()
