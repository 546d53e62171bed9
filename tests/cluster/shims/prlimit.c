/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the slurm-checkpoint authors
 *
 * For hosts whose root lacks CAP_SYS_RESOURCE. There the kernel refuses to tell criu the limits of another user's process
 * (EPERM), though anybody may read them in /proc/PID/limits: LD_PRELOADed into criu, this answers from there. Wherever the
 * kernel itself answers, nothing changes. CRIU calls prlimit64 through syscall(2), so that is what is replaced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[] = {
	[RLIMIT_CPU] = "Max cpu time",           [RLIMIT_FSIZE] = "Max file size",
	[RLIMIT_DATA] = "Max data size",         [RLIMIT_STACK] = "Max stack size",
	[RLIMIT_CORE] = "Max core file size",    [RLIMIT_RSS] = "Max resident set",
	[RLIMIT_NPROC] = "Max processes",        [RLIMIT_NOFILE] = "Max open files",
	[RLIMIT_MEMLOCK] = "Max locked memory",  [RLIMIT_AS] = "Max address space",
	[RLIMIT_LOCKS] = "Max file locks",       [RLIMIT_SIGPENDING] = "Max pending signals",
	[RLIMIT_MSGQUEUE] = "Max msgqueue size", [RLIMIT_NICE] = "Max nice priority",
	[RLIMIT_RTPRIO] = "Max realtime priority", [RLIMIT_RTTIME] = "Max realtime timeout",
};

static rlim64_t value(const char *text)
{
	return strcmp(text, "unlimited") ? strtoull(text, NULL, 10) : RLIM64_INFINITY;
}

static int read_limit(pid_t pid, unsigned long resource, struct rlimit64 *limit)
{
	char path[32], line[128], soft[24], hard[24];
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (!found && fgets(line, sizeof(line), file)) /* columns: 26 wide name, soft, hard, unit */
		found = !strncmp(line, names[resource], strlen(names[resource])) &&
			sscanf(line + 26, "%23s %23s", soft, hard) == 2;
	fclose(file);
	if (found)
		*limit = (struct rlimit64){ value(soft), value(hard) };
	return found;
}

long syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);

#if defined(__x86_64__)
	long result;
	register long r10 asm("r10") = a[3];
	register long r8 asm("r8") = a[4];
	register long r9 asm("r9") = a[5];
	asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 asm("x8") = number;
	register long result asm("x0") = a[0];
	register long x1 asm("x1") = a[1];
	register long x2 asm("x2") = a[2];
	register long x3 asm("x3") = a[3];
	register long x4 asm("x4") = a[4];
	register long x5 asm("x5") = a[5];
	asm volatile("svc 0" : "+r"(result) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
#else
#error "add the system call instruction of this architecture"
#endif
	if (result >= 0 || result < -4095)
		return result;
	int reads_other = number == SYS_prlimit64 && a[0] && !a[2] && a[3] && (unsigned long)a[1] < RLIM_NLIMITS;
	if (result == -EPERM && reads_other && read_limit(a[0], a[1], (struct rlimit64 *)a[3]))
		return 0;
	errno = -result;
	return -1;
}
