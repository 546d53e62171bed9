# SPDX-License-Identifier: GPL-2.0-or-later
"""An srun that is called by its path runs in the script's own tree and cannot be saved: that is said in one line, and the job runs on
unharmed."""

from lib import *

SCRIPT = """#!/bin/bash
#SBATCH --checkpoint-interval=1s
. /shared/programs/gate.sh
/usr/bin/srun --ntasks=1 bash -c '. /shared/programs/gate.sh; count step 1 80; gate go'
echo "srun ended with $?"
exit 4
"""


class LiveSrun(SystemTest):
    def test_said_once_and_unharmed(self):
        job = submit(SCRIPT)
        job.wait_output("step 60")
        job.path("go").touch()
        self.assert_ended(end(job), "FAILED", "4:0")
        self.assertEqual(application_lines(job.output()), [*(f"step {i}" for i in range(1, 81)), "srun ended with 0"])
        self.assert_one_complaint(job, "srun")
        assert_clean(job)


main()
