# SPDX-License-Identifier: GPL-2.0-or-later
"""A script that cannot be executed fails as it does without us: same message, same exit status, same state of the job."""

import re

from lib import *

SCRIPTS = {
    "missing interpreter": "#!/no/such/program\n",
    "interpreter without permission": "#!/etc/hostname\n",
    "interpreter is a directory": "#!/etc\n",
    "interpreter of the wrong format": "#!/shared/programs/melt.exec\n",
    "missing command": "#!/bin/bash\nno-such-command\n",
    "exec of a missing command": "#!/bin/bash\nexec /no/such/command\n",
}


class ExecErrors(SystemTest):
    def test_as_without_us(self):
        cluster.run("ctl", "install", "-m", "755", "/shared/programs/melt.in", "/shared/programs/melt.exec")
        jobs = {name: (submit(script, name=name), submit(script, "--checkpoint", name=name)) for name, script in SCRIPTS.items()}
        for name, (plain, with_option) in jobs.items():
            with self.subTest(name):
                expected, ended = end(plain), end(with_option)
                self.assertEqual(expected["JobState"], "FAILED")
                self.assert_ended(ended, expected["JobState"], expected["ExitCode"])
                self.assertEqual(self.text(with_option), self.text(plain))
        assert_clean(*(job for pair in jobs.values() for job in pair))

    def text(self, job):
        text = re.sub(r"job0*\d+", "JOB", job.output())
        return re.sub(r"(?m)^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]\d{3}\] ", "[TIME] ", text)  # since Slurm 25.05


main()
