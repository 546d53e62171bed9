/* SPDX-License-Identifier: 0BSD */
/* For programs that know when it is best to save them: between two time steps, with no connection open to the
 * outside, with little memory in use. Nothing to link: it runs `sckpt create`, and does so only within a job of
 * Slurm. Programs in other languages run that command themselves.
 *
 *     switch (slurm_checkpoint()) {
 *     case 1:  puts("restored, perhaps on another node"); break;
 *     case 0:  puts("saved"); break;
 *     default: perror("not saved");
 *     }
 */
#ifndef SLURM_CHECKPOINT_H
#define SLURM_CHECKPOINT_H

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

extern char** environ;

/* Saves the whole job, and returns when that is in the store: 0. Returns 1, perhaps days later and on another
 * node, when the job has been restored from there. -1 when nothing was saved; the job runs on, sckpt has said
 * why on standard error, and errno is ECANCELED, or ENOENT outside of a job, or that of a call that failed.
 * Of several processes or threads that call at the same time, each returns when a checkpoint is saved that it
 * is in. SIGCHLD must not be ignored. */
static inline int slurm_checkpoint(void) {
    char name[] = "sckpt";
    char verb[] = "create";
    char tell[] = "--tell-restored";
    char* const command[] = {name, verb, tell, NULL};
    posix_spawn_file_actions_t files;
    pid_t child = 0;
    pid_t ended = 0;
    int status = 0;
    int error = 0;
    if (getenv("SLURM_JOB_ID") == NULL) {
        errno = ENOENT;
        return -1;
    }
    error = posix_spawn_file_actions_init(&files);
    if (error == 0) {
        error = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (error == 0) error = posix_spawnp(&child, name, &files, NULL, command, environ);
        posix_spawn_file_actions_destroy(&files);
    }
    if (error != 0) {
        errno = error;
        return -1;
    }
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended < 0) return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return 1;
    errno = ECANCELED;
    return -1;
}

#ifdef __cplusplus
}
#endif

#endif
