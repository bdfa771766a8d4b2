/* left_processes.c - see left_processes.h. /proc is read, since there is no call that lists children. */
#include "left_processes.h"

#ifdef __linux__
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who forks faster than this can kill is stopped by the limits of the system. */
#define MAX_ROUNDS 1000

/* "PID (name) S PPID ...": the name may hold anything. 0: it is gone. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "re");
    const size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    text[n] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strlen(name_end) > 4 ? (pid_t)strtol(name_end + 4, NULL, 10) : 0;
}

/* The children of this process, max_pids at most. */
static size_t list_children(pid_t *pids, size_t max_pids)
{
    const pid_t self = getpid();
    size_t n = 0;
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return 0;
    for (const struct dirent *entry; n < max_pids && (entry = readdir(dir)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == self)
            pids[n++] = (pid_t)strtol(entry->d_name, NULL, 10);
    (void)closedir(dir);
    return n;
}

static bool is_known(const struct left_processes *watched, pid_t pid)
{
    for (size_t i = 0; i < watched->n_known; i++)
        if (watched->known[i] == pid)
            return true;
    return false;
}

/* A child is this process's until it is reaped, so its number is still its own. */
static void end_child(pid_t pid)
{
    pid_t reaped = -1;
    (void)kill(pid, SIGKILL);
    do
        reaped = waitpid(pid, NULL, 0);
    while (reaped < 0 && errno == EINTR);
}

void left_processes_watch(struct left_processes *ret)
{
    ret->n_known = list_children(ret->known, LEFT_MAX_KNOWN);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

size_t left_processes_end(const struct left_processes *watched)
{
    size_t n_ended = 0, n_found = 1;
    for (int round = 0; round < MAX_ROUNDS && n_found > 0; round++) {
        pid_t pids[2 * LEFT_MAX_KNOWN];
        const size_t n = list_children(pids, sizeof pids / sizeof pids[0]);
        n_found = 0;
        for (size_t i = 0; i < n; i++)
            if (!is_known(watched, pids[i])) {
                end_child(pids[i]);
                n_found++;
            }
        n_ended += n_found;
    }
    return n_ended;
}

#else

void left_processes_watch(struct left_processes *ret)
{
    ret->n_known = 0;
}

size_t left_processes_end(const struct left_processes *watched)
{
    (void)watched;
    return 0;
}
#endif
