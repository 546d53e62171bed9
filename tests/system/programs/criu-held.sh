#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In place of CRIU: begins when the test has made /shared/dumps/go, and tells before that its pid in /shared/dumps/held.
echo "$$" >/shared/dumps/held.new && mv /shared/dumps/held.new /shared/dumps/held
until [ -e /shared/dumps/go ]; do sleep 0.05; done
exec /usr/sbin/criu "$@"
