#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
#
# Runs once inside the root file system, with this directory at /src/tests/cluster: what it writes becomes the read-only layer
# between the Debian packages and a node's own disk.
set -eu
mkdir -p /shared /squash /src /build /ccache  # mount points
shims=/src/tests/cluster/shims
mkdir -p /usr/libexec/cluster
gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o /usr/libexec/cluster/prlimit.so "$shims/prlimit.c"
gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o /usr/libexec/cluster/hybrid-cgroup.so "$shims/hybrid-cgroup.c"
# shellcheck disable=SC2046
g++ -std=c++20 -O2 -Wall -Wextra -Werror -o /usr/libexec/cluster/rootsquash /src/tests/cluster/rootsquash/*.cpp $(pkg-config --cflags --libs fuse3)

criu_version=$(dpkg-query --show --showformat='${Version}' criu)
dpkg --compare-versions "$criu_version" ge 4.2.1 || { echo "CRIU $criu_version is too old, see packages.txt" >&2; exit 1; }

# The product runs "criu" and knows nothing of shims. The shim changes nothing where the kernel answers by itself.
mv /usr/sbin/criu /usr/sbin/criu.real
gcc -O2 -Wall -Wextra -Werror -static -o /usr/sbin/criu "$shims/criu-wrapper.c"

# Homes are on storage that all nodes share, as on any cluster; they are made when a cluster first comes up.
useradd --uid 2001 --no-create-home --shell /bin/bash alice
useradd --uid 2002 --no-create-home --shell /bin/bash bob

# A node knows its peers from /etc/hosts and nobody else; asking a name server would only cost time.
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
rm -f /etc/resolv.conf
touch /etc/resolv.conf

mkdir -p /etc/slurm/plugstack.conf.d
echo 'include /etc/slurm/plugstack.conf.d/*.conf' >/etc/slurm/plugstack.conf
install -d -o slurm -g slurm -m 755 /var/lib/slurm/slurmctld /var/log/slurm
install -d -m 755 /var/spool/slurmd
