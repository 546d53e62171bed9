#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
srun -N1 -n1 sh -c 'sleep 3; echo ran >>once; exit 9' &
sleep 1; kill -STOP $!; sleep 15; kill -CONT $!
wait $!; echo "status $?"
