/* worker_sandbox.c - see worker_sandbox.h. The order matters: privileges go before the filter, which would
 * refuse some of these calls. */
#include "worker_sandbox.h"
#include "errors.h"
#include "worker_domain.h"
#include "worker_seccomp.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <inttypes.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#ifdef __GLIBC__
typedef __rlimit_resource_t limit_resource;
#else
typedef int limit_resource;
#endif

#define USUAL_OPEN_FILES 1024
#define THREADS_BYTES    ((uint64_t)32 << 20) /* stacks of those that there always are */
#define OOM_SCORE        500                  /* of 1000 */
#define USUAL_FILE_BYTES ((uint64_t)64 << 30)

/* A thread that allocates for the first time reserves 64 MB of addresses for an arena of its own, which
 * would use up a limited address space without using memory. */
#define ARENAS_OF_LIMITED_MEMORY 2

/* A process that is beyond its limit from the start would fail at its next allocation, wherever that is. */
static model_status check_memory(uint64_t limit_bytes, struct model_error *err)
{
    uint64_t mapped_bytes = 0;
#ifdef __linux__
    uint64_t n_pages = 0;
    FILE *file = limit_bytes != 0 ? fopen("/proc/self/statm", "re") : NULL;
    if (file != NULL && fscanf(file, "%" SCNu64, &n_pages) == 1)
        mapped_bytes = n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (file != NULL)
        (void)fclose(file);
#endif
    if (limit_bytes == 0 || mapped_bytes + THREADS_BYTES <= limit_bytes)
        return MODEL_OK;
    return error_set(
        err, MODEL_INVALID_ARGUMENT,
        "a memory limit of %llu MB is not enough: %llu MB of addresses are taken before a model "
        "is opened, and threads take %llu MB; give a model's size more than both",
        (unsigned long long)(limit_bytes >> 20), (unsigned long long)(mapped_bytes >> 20),
        (unsigned long long)(THREADS_BYTES >> 20));
}

static model_status set_limit(limit_resource resource, const char *what, uint64_t value,
                              struct model_error *err)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "cannot read the limit of %s: %s", what,
                         strerror(errno));
    if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max)
        limit.rlim_max = (rlim_t)value;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    if (setrlimit(resource, &limit) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "cannot limit %s to %llu: %s", what,
                         (unsigned long long)value, strerror(errno));
    return MODEL_OK;
}

/* When the system has no memory left, the worker is to end before its host. Best effort: /proc may be absent. */
static void volunteer_for_lack_of_memory(void)
{
#ifdef __linux__
    int score = 0;
    FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
    if (file != NULL && fscanf(file, "%d", &score) == 1 && score < OOM_SCORE) {
        rewind(file);
        (void)fprintf(file, "%d", OOM_SCORE);
    }
    if (file != NULL)
        (void)fclose(file);
#endif
}

static model_status set_limits(const struct worker_limits *limits, struct model_error *err)
{
    const struct {
        limit_resource resource;
        const char *what;
        uint64_t value;
    } wanted[] = {
        {RLIMIT_CORE, "core files", 0},
        {RLIMIT_NOFILE, "open files",
         limits->max_open_files != 0 ? limits->max_open_files : USUAL_OPEN_FILES},
        {RLIMIT_FSIZE, "file sizes",
         limits->max_file_bytes != 0 ? limits->max_file_bytes : USUAL_FILE_BYTES},
        {RLIMIT_AS, "address space", limits->memory_bytes},
    };
    model_status status = check_memory(limits->memory_bytes, err);
    for (size_t i = 0; status == MODEL_OK && i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].resource != RLIMIT_AS || wanted[i].value != 0)
            status = set_limit(wanted[i].resource, wanted[i].what, wanted[i].value, err);
#ifdef M_ARENA_MAX
    if (limits->memory_bytes != 0)
        (void)mallopt(M_ARENA_MAX, ARENAS_OF_LIMITED_MEMORY);
#endif
    return status;
}

#ifdef __linux__
/* Root keeps the right to read every file, so that packages open as they do outside. */
static model_status drop_capabilities(struct model_error *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, held) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "cannot read capabilities: %s", strerror(errno));
    const uint32_t reading = 1u << CAP_DAC_READ_SEARCH;
    held[0].permitted &= reading;
    held[0].effective &= reading;
    held[0].inheritable = 0;
    held[1] = (struct __user_cap_data_struct){0};
    if (syscall(SYS_capset, &header, held) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "cannot drop capabilities: %s", strerror(errno));
    return MODEL_OK;
}

static model_status drop_privileges(const char *writable_folder, struct model_error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "cannot give up new privileges: %s",
                         strerror(errno));
    model_status status = drop_capabilities(err);
    /* A pipe that core files are sent to does not ask for RLIMIT_CORE. */
    if (status == MODEL_OK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        status = error_set(err, MODEL_UNSUPPORTED, "cannot forbid core files: %s", strerror(errno));
    return status == MODEL_OK ? worker_domain_enter(writable_folder, err) : status;
}
#else
static model_status drop_privileges(const char *writable_folder, struct model_error *err)
{
    (void)writable_folder;
    (void)err;
    return MODEL_OK;
}
#endif

model_status worker_sandbox_enter(const struct worker_limits *limits, struct model_error *err)
{
    const struct worker_limits usual = {0};
    limits = limits != NULL ? limits : &usual;
    volunteer_for_lack_of_memory();
    if (limits->writable_folder != NULL)
        (void)umask(S_IRWXG | S_IRWXO); /* what is made there is its owner's alone */
    model_status status = set_limits(limits, err);
    if (status == MODEL_OK)
        status = drop_privileges(limits->writable_folder, err);
    if (status == MODEL_OK)
        status = worker_seccomp_enter(limits->writable_folder != NULL, err);
    if (status != MODEL_OK)
        error_prefix(err, "the worker's sandbox");
    return status;
}

model_status worker_sandbox_before_plugin(struct model_error *err)
{
    model_status status = worker_seccomp_refuse_files(err);
    if (status != MODEL_OK)
        error_prefix(err, "the worker's sandbox");
    return status;
}
