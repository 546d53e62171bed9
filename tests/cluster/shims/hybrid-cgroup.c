/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the slurm-checkpoint authors
 *
 * For hosts that mount cgroup v1 beside v2 ("hybrid"). There /proc/PID/cgroup has a line for each v1 hierarchy too, and slurmd
 * refuses to run, although the node's own /sys/fs/cgroup is pure v2. LD_PRELOADed into slurmd, which passes it on to
 * slurmstepd, this shows only the v2 line. On a host without v1 that is the whole file anyway.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_proc_cgroup(const char *path)
{
	size_t length = strlen(path);
	return !strncmp(path, "/proc/", 6) && length > 13 && !strcmp(path + length - 7, "/cgroup");
}

static int open_v2_line(const char *path)
{
	char text[8192];
	int in = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -1;
	ssize_t length = read(in, text, sizeof(text) - 1);
	close(in);
	text[length > 0 ? length : 0] = '\0';

	char *line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
	if (!line)
		line = "";
	line += *line == '\n';
	int out = memfd_create("cgroup", MFD_CLOEXEC);
	if (out >= 0 && (write(out, line, strlen(line)) < 0 || lseek(out, 0, SEEK_SET) < 0)) {
		close(out);
		return -1;
	}
	return out;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	int mode = va_arg(list, int);
	va_end(list);
	return is_proc_cgroup(path) ? open_v2_line(path) : openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
