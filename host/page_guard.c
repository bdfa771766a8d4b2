/* page_guard.c - see page_guard.h. The table is fixed and its fields are atomic, because the signal
 * handler reads it on whatever thread faulted. */
#include "page_guard.h"
#include "errors.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_GUARDS 4096

#ifdef __APPLE__
#define MTIME st_mtimespec
#else
#define MTIME st_mtim
#endif

struct page_guard {
    _Atomic uintptr_t start; /* 0: the slot is free; written last when added */
    _Atomic uintptr_t end;
    _Atomic int damaged;
    int fd;
    struct stat opened; /* what the file was */
};

static struct page_guard guards[MAX_GUARDS];
static pthread_mutex_t guards_mutex = PTHREAD_MUTEX_INITIALIZER; /* adding and removing */
static struct sigaction previous_action;
static size_t page_bytes;

static struct page_guard *guard_of_address(uintptr_t address)
{
    for (size_t i = 0; i < MAX_GUARDS; i++) {
        uintptr_t start = atomic_load(&guards[i].start);
        if (start != 0 && address >= start && address < atomic_load(&guards[i].end))
            return &guards[i];
    }
    return NULL;
}

/* An application may put its handler before ours and ours, at the next load, before that: then its
 * handler passes on to ours. A fault comes here once. */
static _Thread_local volatile sig_atomic_t is_passing_on;

static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    if (is_passing_on) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void)sigaction(signal_number, &action, NULL); /* the fault repeats and ends the process */
        return;
    }
    is_passing_on = 1;
    if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
        previous_action.sa_sigaction(signal_number, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(signal_number);
    } else {
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void)sigaction(signal_number, &action, NULL);
    }
    is_passing_on = 0;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    struct page_guard *guard = guard_of_address(address);
    if (guard != NULL) {
        void *page = (void *)(address / page_bytes * page_bytes);
        void *zeros =
            mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros != MAP_FAILED) {
            atomic_store(&guard->damaged, 1);
            return;
        }
    }
    pass_on(signal_number, info, context);
}

/* Under guards_mutex. Looks each time: an application may have put its own handler there since. */
static model_status install_handler(struct model_error *err)
{
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct sigaction current;
    if (sigaction(SIGBUS, NULL, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 &&
        current.sa_sigaction == on_bus_error)
        return MODEL_OK;
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &previous_action) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_INTERNAL, "cannot install the handler for SIGBUS");
}

static struct page_guard *free_slot(void)
{
    for (size_t i = 0; i < MAX_GUARDS; i++)
        if (atomic_load(&guards[i].start) == 0)
            return &guards[i];
    return NULL;
}

model_status page_guard_add(const struct file_map *map, struct page_guard **ret,
                            struct model_error *err)
{
    struct stat opened;
    if (fstat(map->fd, &opened) != 0)
        return error_set_errno(err, errno, "cannot stat a weights file");
    (void)pthread_mutex_lock(&guards_mutex);
    model_status status = install_handler(err);
    struct page_guard *guard = status == MODEL_OK ? free_slot() : NULL;
    if (guard != NULL) {
        atomic_store(&guard->damaged, 0);
        guard->fd = map->fd;
        guard->opened = opened;
        atomic_store(&guard->end, (uintptr_t)map->data + map->size_bytes);
        atomic_store(&guard->start, (uintptr_t)map->data);
        *ret = guard;
    } else if (status == MODEL_OK) {
        status = error_set(err, MODEL_BUSY, "more than %d weight files are mapped; release models",
                           MAX_GUARDS);
    }
    (void)pthread_mutex_unlock(&guards_mutex);
    return status;
}

void page_guard_remove(struct page_guard *guard)
{
    if (guard == NULL)
        return;
    (void)pthread_mutex_lock(&guards_mutex);
    atomic_store(&guard->start, 0);
    (void)pthread_mutex_unlock(&guards_mutex);
}

model_status page_guard_check(const struct page_guard *guard, const char *path,
                              struct model_error *err)
{
    struct stat now;
    if (fstat(guard->fd, &now) != 0)
        return error_set_errno(err, errno, "cannot stat %s", path);
    if (now.st_size < guard->opened.st_size || atomic_load(&guard->damaged) != 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s was truncated while it was in use: %lld bytes when opened, %lld now",
                         path, (long long)guard->opened.st_size, (long long)now.st_size);
    if (now.st_size != guard->opened.st_size || now.MTIME.tv_sec != guard->opened.MTIME.tv_sec ||
        now.MTIME.tv_nsec != guard->opened.MTIME.tv_nsec)
        return error_set(err, MODEL_CORRUPT, "%s was written to while it was in use", path);
    return MODEL_OK;
}
