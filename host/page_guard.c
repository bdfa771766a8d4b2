/* page_guard.c - see page_guard.h. The table is fixed and its fields are atomic, because the signal
 * handler reads it on whatever thread faulted. */
#include "page_guard.h"
#include "errors.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdlib.h>
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
static size_t page_bytes;

/* The handlers before ours, the newest first. Never changed once listed, and never freed: the signal
 * handler may stand at any. */
struct previous {
    const struct previous *next;
    struct sigaction action;
};
static const struct previous *_Atomic newest_previous;

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
 * handler passes on to ours, which must go on to the one before, and so with a second copy of this
 * library. A flag could not tell such a return from a new fault: a handler may leave by siglongjmp() and
 * never come back. So what is passed on carries a number in si_errno, which the system leaves 0, and
 * the list is walked once for each number. */
static _Thread_local struct {
    int fault; /* its number */
    int n_faults;
    const struct previous *next;
} passed_on;

static int new_fault_number(void)
{
    unsigned copy = (unsigned)((uintptr_t)&passed_on >> 4); /* of this library, and the thread */
    unsigned number = copy * 2654435761u + (unsigned)++passed_on.n_faults;
    return number != 0 ? (int)number : 1;
}

/* As if nobody had a handler. A fault repeats and ends the process; a signal that was sent does not. */
static void pass_on_to_nobody(int signal_number, const siginfo_t *info, bool is_ignored)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    bool was_sent = info->si_code <= 0;
    if (was_sent && is_ignored)
        return;
    (void)sigaction(signal_number, &action, NULL);
    if (was_sent)
        (void)raise(signal_number); /* when this handler has returned */
}

static void pass_on(int signal_number, const siginfo_t *info, void *context)
{
    siginfo_t numbered = *info;
    const struct previous *to = passed_on.next;
    if (info->si_errno == 0)
        numbered.si_errno = new_fault_number();
    if (passed_on.fault != numbered.si_errno)
        to = atomic_load(&newest_previous);
    if (to == NULL || to->action.sa_handler == SIG_DFL || to->action.sa_handler == SIG_IGN) {
        pass_on_to_nobody(signal_number, info, to != NULL && to->action.sa_handler == SIG_IGN);
        return;
    }
    passed_on.fault = numbered.si_errno;
    passed_on.next = to->next;
    if ((to->action.sa_flags & SA_SIGINFO) != 0)
        to->action.sa_sigaction(signal_number, &numbered, context);
    else
        to->action.sa_handler(signal_number);
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    struct page_guard *guard = info->si_code > 0 ? guard_of_address(address) : NULL;
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

static bool is_same_handler(const struct sigaction *a, const struct sigaction *b)
{
    if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
        return false;
    return (a->sa_flags & SA_SIGINFO) != 0 ? a->sa_sigaction == b->sa_sigaction
                                           : a->sa_handler == b->sa_handler;
}

/* Makes `action` the newest of the handlers before ours. One that was listed is where it was: what was
 * put over it since is gone, or it would not be the current one. */
static model_status list_previous(const struct sigaction *action, struct model_error *err)
{
    const struct previous *newest = atomic_load(&newest_previous);
    for (const struct previous *p = newest; p != NULL; p = p->next)
        if (is_same_handler(&p->action, action)) {
            atomic_store(&newest_previous, p);
            return MODEL_OK;
        }
    struct previous *added = malloc(sizeof *added);
    if (added == NULL)
        return error_no_memory(err, "the handler for SIGBUS");
    *added = (struct previous){newest, *action};
    atomic_store(&newest_previous, added);
    return MODEL_OK;
}

/* Under guards_mutex. Looks each time: an application may have put its own handler there since. On the
 * alternate stack where a thread has one: runtimes with small stacks want that of every handler. */
static model_status install_handler(struct model_error *err)
{
    const struct sigaction action = {.sa_sigaction = on_bus_error,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction current;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    if (sigaction(SIGBUS, NULL, &current) != 0)
        return error_set_errno(err, errno, "cannot read the handler for SIGBUS");
    if (is_same_handler(&current, &action))
        return MODEL_OK;
    model_status status = list_previous(&current, err);
    if (status == MODEL_OK && sigaction(SIGBUS, &action, NULL) != 0)
        status = error_set_errno(err, errno, "cannot install the handler for SIGBUS");
    return status;
}

model_status page_guard_install(struct model_error *err)
{
    (void)pthread_mutex_lock(&guards_mutex);
    const model_status status = install_handler(err);
    (void)pthread_mutex_unlock(&guards_mutex);
    return status;
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
