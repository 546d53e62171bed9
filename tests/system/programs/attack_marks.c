// SPDX-License-Identifier: GPL-2.0-or-later
// A library of a user's, and a program that stands for CRIU: whoever loads or runs it leaves a line with its name, its uids and its
// capabilities, in the file that $ATTACK_MARKS names, or, for who has no such variable, in /shared/scratch/alice/marks.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *marks(void) {
    const char *path = getenv("ATTACK_MARKS");
    return path != NULL ? path : "/shared/scratch/alice/marks";
}

__attribute__((constructor)) static void leave_a_mark(void) {
    char name[64] = "", line[256], status[4096] = "", caps[64] = "";
    FILE *file = fopen("/proc/self/comm", "r");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL) name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t n = read(fd, status, sizeof status - 1);
        if (n > 0) status[n] = '\0';
        close(fd);
    }
    const char *found = strstr(status, "CapEff:\t");
    if (found != NULL) sscanf(found, "CapEff:\t%63s", caps);
    const int size = snprintf(line, sizeof line, "%s %u %u %s\n", name, getuid(), geteuid(), caps);
    const int out = open(marks(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (out >= 0) {
        if (write(out, line, (size_t)size) < 0) _exit(3);
        close(out);
    }
}

// What makes it a library for LD_AUDIT too.
unsigned la_version(unsigned version) {
    return version;
}

int main(void) {
    return 1;
}
