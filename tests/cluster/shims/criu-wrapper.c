/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the slurm-checkpoint authors
 *
 * /usr/sbin/criu of a node: the real criu with prlimit.so loaded. A program, not a script, so that it costs no measurable time;
 * exec keeps descriptors, ambient capabilities and argv[0], and the variable is set here since callers scrub the environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *theirs = getenv("LD_PRELOAD");
	char ours[4096];

	(void)argc;
	snprintf(ours, sizeof(ours), "/usr/libexec/cluster/prlimit.so:%s", theirs != NULL ? theirs : "");
	setenv("LD_PRELOAD", ours, 1);
	execv("/usr/sbin/criu.real", argv);
	perror("/usr/sbin/criu.real");
	return 127;
}
