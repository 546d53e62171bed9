#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N1 -n1 sh -c 'echo ran >>once; exit 9'
echo "status $?"
