/* cpu_budget.c - see cpu_budget.h. A container with a quota of two CPUs on a host of 64 shows 64 in
 * its affinity mask; threads beyond the quota are throttled together and everything stalls. */
#include "cpu_budget.h"
#include "files.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CGROUP_FILE_BYTES 65536

/* ceil(quota / period) of the two numbers, 0 for "max", -1, or nonsense. */
static uint32_t cpus_of_quota(long long quota, long long period)
{
    if (quota <= 0 || period <= 0 || quota > INT32_MAX * period)
        return 0;
    return (uint32_t)((quota + period - 1) / period);
}

static char *read_text(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    struct buffer text = BUFFER_INIT(MAX_CGROUP_FILE_BYTES);
    bool ok = path != NULL && file_read(path, MAX_CGROUP_FILE_BYTES, &text, NULL) == MODEL_OK;
    free(path);
    if (ok)
        return buffer_take(&text);
    buffer_finish(&text);
    return NULL;
}

static uint32_t quota_of_folder(const char *folder)
{
    char *max = read_text(folder, "cpu.max");
    long long quota = 0, period = 0;
    uint32_t cpus = 0;
    if (max != NULL) {
        if (sscanf(max, "%lld %lld", &quota, &period) == 2)
            cpus = cpus_of_quota(quota, period);
        free(max);
        return cpus;
    }
    char *quota_text = read_text(folder, "cpu.cfs_quota_us");
    char *period_text = read_text(folder, "cpu.cfs_period_us");
    if (quota_text != NULL && period_text != NULL)
        cpus = cpus_of_quota(strtoll(quota_text, NULL, 10), strtoll(period_text, NULL, 10));
    free(quota_text);
    free(period_text);
    return cpus;
}

/* The smallest limit of a group and the groups above it, up to and with the root. */
static uint32_t quota_of_group(const char *root, const char *group)
{
    uint32_t best = 0;
    char *path = text_format("%s%s", root, group);
    size_t root_bytes = strlen(root);
    while (path != NULL) {
        uint32_t cpus = quota_of_folder(path);
        if (cpus > 0 && (best == 0 || cpus < best))
            best = cpus;
        char *slash = strrchr(path, '/');
        if (slash == NULL || (size_t)(slash - path) < root_bytes)
            break;
        *slash = '\0';
    }
    free(path);
    return best;
}

uint32_t cpu_budget_of_cgroup(const char *self_cgroup, const char *root)
{
    uint32_t best = 0;
    for (const char *line = self_cgroup; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *controllers = memchr(line, ':', length);
        const char *group = controllers != NULL ? memchr(controllers + 1, ':',
                                                         length - (size_t)(controllers + 1 - line))
                                                : NULL;
        if (group != NULL) {
            bool v2 = group == controllers + 1;
            char *name = text_format("%.*s", (int)(line + length - group - 1), group + 1);
            char *base = v2 ? text_format("%s", root) : text_format("%s/cpu", root);
            bool has_cpu = v2 || strstr(controllers, "cpu") != NULL;
            uint32_t cpus =
                name != NULL && base != NULL && has_cpu ? quota_of_group(base, name) : 0;
            if (cpus > 0 && (best == 0 || cpus < best))
                best = cpus;
            free(name);
            free(base);
        }
        line += length + (line[length] == '\n');
    }
    return best;
}

static uint32_t cpus_of_affinity(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

uint32_t cpu_budget(void)
{
    uint32_t cpus = cpus_of_affinity();
    char *self = read_text("/proc/self", "cgroup");
    uint32_t quota = self != NULL ? cpu_budget_of_cgroup(self, "/sys/fs/cgroup") : 0;
    free(self);
    return quota > 0 && quota < cpus ? quota : cpus;
}
