/* soak_usage.c - see soak_usage.h. */
#include "soak_usage.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_RUN_S 100

struct bound {
    const char *name;
    double share,
        least; /* growth over the second half that is noise: of the mean, and in any case */
};

/* Models are loaded and unloaded at random: a few of anything come and go. */
static const struct bound bounds[N_USAGES] = {
    [USAGE_RESIDENT_KB] = {"resident KB", 0.03, 4096},
    [USAGE_DESCRIPTORS] = {"descriptors", 0.05, 6},
    [USAGE_THREADS] = {"threads", 0.05, 3},
    [USAGE_CHILDREN] = {"children", 0.05, 2},
    [USAGE_ZOMBIES] = {"zombies", 0, 1},
    [USAGE_SHARED_MEMORIES] = {"shared memories", 0.05, 6},
};

/* ---- reading */

static double count_entries(const char *folder)
{
    double n = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

static double read_resident_kb(void)
{
    char line[256];
    double kb = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Rss:", 4) == 0)
            kb = strtod(line + 4, NULL);
    if (file != NULL)
        (void)fclose(file);
    return kb;
}

static double count_shared_memories(void)
{
    char line[1024];
    double n = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        n += strstr(line, "memfd:modelhost-worker") != NULL;
    if (file != NULL)
        (void)fclose(file);
    return n;
}

/* The state and the parent stand behind the name, which may contain anything. */
static bool read_parent(const char *pid, char *ret_state, long *ret_parent)
{
    char path[300], line[1024];
    (void)snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    const bool is_read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    const char *behind = is_read ? strrchr(line, ')') : NULL;
    return behind != NULL && sscanf(behind + 1, " %c %ld", ret_state, ret_parent) == 2;
}

static void count_children(struct soak_usage *usage)
{
    DIR *dir = opendir("/proc");
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char state = 0;
        long parent = 0;
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            !read_parent(entry->d_name, &state, &parent) || parent != (long)getpid())
            continue;
        usage->values[USAGE_CHILDREN]++;
        usage->values[USAGE_ZOMBIES] += state == 'Z';
    }
    if (dir != NULL)
        (void)closedir(dir);
}

struct soak_usage soak_usage_now(void)
{
    struct soak_usage usage = {{0}};
    usage.values[USAGE_RESIDENT_KB] = read_resident_kb();
    usage.values[USAGE_DESCRIPTORS] = count_entries("/proc/self/fd");
    usage.values[USAGE_THREADS] = count_entries("/proc/self/task");
    usage.values[USAGE_SHARED_MEMORIES] = count_shared_memories();
    count_children(&usage);
    return usage;
}

/* ---- judging */

void soak_series_add(struct soak_series *series, double at_s, const struct soak_usage *usage)
{
    if (series->stride == 0)
        series->stride = 1;
    if (series->n_offered++ % series->stride != 0)
        return;
    if (series->n == SOAK_MAX_SAMPLES) {
        for (size_t i = 0; i < SOAK_MAX_SAMPLES / 2; i++) {
            series->at_s[i] = series->at_s[2 * i];
            series->samples[i] = series->samples[2 * i];
        }
        series->n /= 2;
        series->stride *= 2;
    }
    series->at_s[series->n] = at_s;
    series->samples[series->n++] = *usage;
}

/* What the line of least squares through the second half rises by. */
static double growth(const struct soak_series *series, enum soak_quantity quantity,
                     double *ret_mean)
{
    const size_t first = series->n / 2, n = series->n - first;
    double t = 0, y = 0, tt = 0, ty = 0;
    for (size_t i = first; i < series->n; i++) {
        t += series->at_s[i] / (double)n;
        y += series->samples[i].values[quantity] / (double)n;
    }
    for (size_t i = first; i < series->n; i++) {
        const double dt = series->at_s[i] - t;
        tt += dt * dt;
        ty += dt * (series->samples[i].values[quantity] - y);
    }
    *ret_mean = y;
    return tt > 0 ? ty / tt * (series->at_s[series->n - 1] - series->at_s[first]) : 0;
}

/* In a short run many a cache is still being filled in the second half, too. */
static double leniency(const struct soak_series *series)
{
    return series->at_s[series->n - 1] < LONG_RUN_S ? 4 : 1;
}

bool soak_series_is_flat(const struct soak_series *series)
{
    bool is_flat = series->n >= 8;
    printf("\n%-16s %12s %12s %12s\n", "held", "mean", "growth", "bound");
    for (int i = 0; i < N_USAGES && series->n > 0; i++) {
        double mean = 0;
        const double rise = growth(series, (enum soak_quantity)i, &mean);
        const double bound = fmax(bounds[i].share * mean, bounds[i].least) * leniency(series);
        const bool counts = i != USAGE_RESIDENT_KB || SOAK_MEMORY_COUNTS;
        printf("%-16s %12.1f %+12.1f %12.1f%s\n", bounds[i].name, mean, rise, bound,
               counts && rise > bound ? "  NOT FLAT" : "");
        is_flat = is_flat && (!counts || rise <= bound);
    }
    if (series->n < 8)
        printf("%zu samples are too few\n", series->n);
    return is_flat;
}

bool soak_usage_is_back(const struct soak_usage *before, const struct soak_usage *after)
{
    bool is_back = true;
    for (int i = USAGE_DESCRIPTORS; i < N_USAGES; i++) {
        if (after->values[i] <= before->values[i])
            continue;
        printf("%s: %.0f at the end, %.0f before\n", bounds[i].name, after->values[i],
               before->values[i]);
        is_back = false;
    }
    return is_back;
}

void soak_usage_print(double at_s, const struct soak_usage *usage)
{
    printf("%6.0f s", at_s);
    for (int i = 0; i < N_USAGES; i++)
        printf("  %s %.0f", bounds[i].name, usage->values[i]);
    printf("\n");
    (void)fflush(stdout);
}
