#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
measure() { local begin=${EPOCHREALTIME/.}; "$@" srun -N1 -n1 true; echo $(( ${EPOCHREALTIME/.} - begin )); }
for i in $(seq 20); do
	measure env STANDIN_DIR= >>native
	measure env STANDIN_PLAIN=direct >>direct
	measure env STANDIN_PLAIN=relay >>relay
	measure env STANDIN_DIR=$STANDIN_DIR /bin/true >>native-true # "srun" is /bin/true: what the stand-in itself costs
	measure env STANDIN_PLAIN=direct STANDIN_PROGRAM=/bin/true >>direct-true
	measure env STANDIN_PLAIN=relay STANDIN_PROGRAM=/bin/true >>relay-true
done
for what in native direct relay native-true direct-true relay-true; do echo "$what: $(sort -n $what | sed -n '1p;10p;11p;20p' | tr '\n' ' ') us (min, two medians, max)"; done
