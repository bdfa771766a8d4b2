/* lease_process.c - see lease_process.h. Reads /proc on Linux; elsewhere a machine is its name, and a
 * process is there or not. [any-thread] */
#include "lease_process.h"
#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STAT_BYTES 4096
#define START_FIELD    22 /* of /proc/<pid>/stat, from 1 */

const char *lease_machine(char text[LEASE_MACHINE_BYTES])
{
    char name[64] = "?", space[64] = "";
    (void)gethostname(name, sizeof name - 1);
#ifdef __linux__
    struct buffer boot = BUFFER_INIT(64);
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &boot, NULL) == MODEL_OK)
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(boot.data, "\n"), boot.data);
    buffer_finish(&boot);
#endif
    (void)snprintf(text, LEASE_MACHINE_BYTES, "%s %s", name, space);
    return text;
}

#ifdef __linux__
/* The field behind the name, which may hold anything, ')' and blanks too. */
static const char *start_of(char *stat, char text[32])
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < START_FIELD; field++)
        at = strchr(at + 1, ' ');
    (void)snprintf(text, 32, "%.*s", at != NULL ? (int)strspn(at + 1, "0123456789") : 0,
                   at != NULL ? at + 1 : "");
    return text;
}
#endif

const char *lease_process_started(void *unused, int64_t pid, char text[32])
{
    (void)unused;
    text[0] = '\0';
    if (pid <= 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        return NULL;
#ifdef __linux__
    struct buffer stat = BUFFER_INIT(MAX_STAT_BYTES);
    char *path = text_format("/proc/%lld/stat", (long long)pid);
    if (path != NULL && file_read(path, MAX_STAT_BYTES, &stat, NULL) == MODEL_OK)
        (void)start_of(stat.data, text);
    buffer_finish(&stat);
    free(path);
#endif
    return text;
}
