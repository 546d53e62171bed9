# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of docs/applications.md: each program is started without checkpoints, and once more with them, requeued to another node in the
middle; what it says must be the same to the last digit. Only in `tests/run full`: they are large."""

import re
from pathlib import Path

from lib import *

TABLE = Path(__file__).resolve().parents[2] / "docs" / "applications.md"

# Name: (options of sbatch, script, what of its output counts). A script waits for the file "go" in its middle, and says there "half" in its
# output, or makes a file of IN_THE_MIDDLE.
MPIRUN = "mpirun.openmpi --bind-to none -n 2 "
WAIT = "until [[ -e go ]]; do sleep 0.1; done"
OCTAVE = """octave-cli --norc --quiet --eval '
rand("seed", 1); a = rand(60); x = ones(60, 1);
for i = 1:300
  x = a * x; x /= norm(x);
  if (i == 150) puts("half\\n"); fflush(stdout); while (! exist("go", "file")) pause(0.1); end; end
end
printf("%.15e\\n", x(1:5));'"""
NUMPY = """python3 -c '
import numpy, os, time
from scipy import linalg
r = numpy.random.default_rng(1)
a = r.random((80, 80)); x = numpy.ones(80)
for i in range(300):
    x = linalg.solve(a, x); x /= linalg.norm(x)
    if i == 150:
        print("half", flush=True)
        while not os.path.exists("go"): time.sleep(0.1)
print(*(f"{v:.15e}" for v in x[:5]), sep="\\n")'"""
OPENMP = """cat >omp.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) {
    double sum[4] = {0};
    for (int round = 0; round < 200; ++round) {
        #pragma omp parallel for num_threads(4)
        for (int t = 0; t < 4; ++t)
            for (int i = 1; i < 20000; ++i) sum[t] += 1.0 / (i + t + round);
        if (round == 100) {
            puts("half"); fflush(stdout);
            #pragma omp parallel num_threads(4)
            while (access("go", F_OK) != 0) usleep(100000);
        }
    }
    for (int t = 0; t < 4; ++t) printf("%.15e\\n", sum[t]);
}
END
gcc -O1 -fopenmp omp.c -o omp && ./omp"""
SQLITE = """python3 -c '
import os, sqlite3, time
db = sqlite3.connect("data.db"); db.execute("create table t(i integer primary key, square integer)")
for i in range(400):
    with db: db.execute("insert into t values(?, ?)", (i, i * i))
    if i == 200:
        print("half", flush=True)
        while not os.path.exists("go"): time.sleep(0.1)
print(db.execute("select count(*), sum(square) from t").fetchone(), db.execute("pragma integrity_check").fetchone())'"""
ESPRESSO = """cat >si.in <<END
&control calculation='scf' prefix='si' pseudo_dir='/usr/share/espresso/pseudo' outdir='./out' verbosity='high' /
&system ibrav=2 celldm(1)=10.2 nat=2 ntyp=1 ecutwfc=30 /
&electrons conv_thr=1d-10 mixing_beta=0.3 /
ATOMIC_SPECIES
Si 28.086 $(cd /usr/share/espresso/pseudo && ls Si*pz-vbc.UPF | head -1)
ATOMIC_POSITIONS alat
Si 0 0 0
Si 0.25 0.25 0.25
K_POINTS automatic
4 4 4 1 1 1
END
for i in 1 2 3; do MPIRUN pw.x -in si.in | grep '^!'; [[ $i != 1 ]] || { echo half; WAIT; }; done""".replace("WAIT", WAIT).replace("MPIRUN ", MPIRUN)
MPI = "RUN 800 result go && cat result"
IN_THE_MIDDLE = ("held", "result")

APPLICATIONS = {
    "LAMMPS": (("--ntasks=2",), MPIRUN + "lmp -in /shared/programs/melt_held.in -var steps 1500 -var rest 500 -log none", r"^ +\d+(?: +[-+.\de]+){5} *$"),
    "Quantum ESPRESSO": (("--ntasks=2",), ESPRESSO, r"^! .*$"),
    "GNU Octave": ((), OCTAVE, r"^[\d.e+-]+$"),
    "NumPy and SciPy": ((), NUMPY, r"^[\d.e+-]+$"),
    "OpenMP (GCC)": (("--cpus-per-task=4",), OPENMP, r"^[\d.e+-]+$"),
    "MPICH": (("--ntasks=2",), MPI.replace("RUN", "mpiexec.hydra -n 2 /shared/programs/allreduce.mpich"), r"^2 ranks.*$"),
    "Open MPI": (("--ntasks=2",), MPI.replace("RUN", MPIRUN + "/shared/programs/allreduce.openmpi"), r"^2 ranks.*$"),
    "SQLite": (("--checkpoint-files=copy",), SQLITE, r"^\(.*$"),
}


def result(job, pattern):
    return [line for line in application_lines(job.output()) if re.match(pattern, line) and line != "half"]


class Applications(SystemTest):
    def test_the_table(self):
        rows = re.findall(r"(?m)^\| ([^|]+?) \|", TABLE.read_text())
        self.assertEqual({row for row in rows if row not in ("program", "---")}, set(APPLICATIONS))

    def run_plain(self, name, options, script):
        plain = [option for option in options if not option.startswith("--checkpoint")]
        job = submit(f"#!/bin/bash\n{script}\n", *plain, name=f"plain-{name.split()[0]}")
        job.path("go").touch()
        self.assert_ended(end(job, timeout=300))
        return job


def test_of(name):
    options, script, pattern = APPLICATIONS[name]

    def test(self):
        expected = result(self.run_plain(name, options, script), pattern)
        self.assertTrue(expected)
        job = submit(f"#!/bin/bash\n{script}\n", "--checkpoint", "--checkpoint-interval=none", *options, name=name.split()[0])
        if "half" in script:
            job.wait_output("half", timeout=120)
        else:  # not sooner: what a program is about to open below /tmp does not travel yet
            wait_for(f"{job} is in its middle", lambda: any(job.path(file).exists() for file in IN_THE_MIDDLE), timeout=120)
        self.assertEqual(cluster.attempt("n1", "sckpt", "create", job.id, user=job.user).returncode, 0)
        requeue(job, to="n2")
        wait_restored(job, 1)
        job.path("go").touch()
        self.assert_ended(end(job, timeout=300))
        self.assertEqual(result(job, pattern), expected)
        assert_clean(job)

    return test


for application in APPLICATIONS:
    setattr(Applications, "test_" + re.sub(r"\W+", "_", application.lower()), test_of(application))


if __name__ == "__main__":
    main()
