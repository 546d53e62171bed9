// SPDX-License-Identifier: GPL-2.0-or-later
// What a process is born with, one line each. As the interpreter of a batch script ("#!/shared/programs/probe") it is executed
// by whoever starts the job, with no shell in between that would change signals or descriptors.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static void print_file(const char *path, const char *const *starts)
{
    char line[65536];
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        int wanted = starts == NULL;
        for (const char *const *start = starts; start && *start; start++)
            wanted |= strncmp(line, *start, strlen(*start)) == 0;
        if (wanted)
            printf("%s: %s%s", path, line, strchr(line, '\n') ? "" : "\n");
    }
    fclose(file);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_environment(void)
{
    size_t count = 0;
    while (environ[count])
        count++;
    qsort(environ, count, sizeof *environ, compare);
    for (size_t i = 0; i < count; i++) {
        // Its value is the pid of what Slurm started.
        if (strncmp(environ[i], "SLURM_TASK_PID=", 15) == 0)
            printf("SLURM_TASK_PID is this process: %s\n", atoi(environ[i] + 15) == getpid() ? "yes" : "no");
        else
            printf("environment: %s\n", environ[i]);
    }
}

static void print_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[4096];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = fd == dirfd(directory) ? -1 : readlink(path, target, sizeof target);
        if (length >= 0)
            printf("descriptor %d: %.*s, flags %o, %s\n", fd, (int)length, target, (unsigned)fcntl(fd, F_GETFL),
                   fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close on exec" : "kept on exec");
    }
    closedir(directory);
}

static void print_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("signal %d: %s\n", number, action.sa_handler == SIG_IGN ? "ignored" : "handled");
    }
}

int main(int argc, char **argv)
{
    static const char *const status[] = {"Name", "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
                                         "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:", "Cpus_allowed_list", "Mems_allowed_list", NULL};
    for (int i = 0; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    char directory[4096];
    printf("working directory: %s\n", getcwd(directory, sizeof directory));
    print_file("/proc/self/status", status);
    print_file("/proc/self/limits", NULL);
    print_file("/proc/self/cgroup", NULL);
    print_file("/proc/self/oom_score_adj", NULL);
    print_file("/proc/self/coredump_filter", NULL);
    print_file("/proc/self/personality", NULL);
    print_file("/proc/self/loginuid", NULL);
    print_file("/proc/self/timerslack_ns", NULL);
    print_environment();
    print_descriptors();
    print_signals();
    int death_signal = 0, subreaper = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    printf("death signal %d, subreaper %d, dumpable %d, keeps capabilities %d, secure bits %d\n", death_signal, subreaper,
           prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_SECUREBITS));
    printf("nice %d, scheduler %d, i/o priority %ld\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0),
           syscall(SYS_ioprio_get, 1, 0));
    printf("leads its process group: %s, its session: %s, has a terminal: %s\n", getpgrp() == getpid() ? "yes" : "no",
           getsid(0) == getpid() ? "yes" : "no", open("/dev/tty", O_RDWR) >= 0 ? "yes" : "no");
    char path[64], parent[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", getppid());
    FILE *file = fopen(path, "r");
    printf("parent: %s", file && fgets(parent, sizeof parent, file) ? parent : "?\n");
    return 0;
}
