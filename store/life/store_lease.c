/* store_lease.c - leaving a lease, and renewing it; see store_lease.h. A lease belongs to who took it; its
 * thread, if it has one, ends with it. The file appears by a rename without fsync: after a power cut there
 * is no process that it could speak for. */
#include "store_lease.h"
#include "errors.h"
#include "json_view.h"
#include "lease_process.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_BYTES (64u << 10)

struct store_lease {
    char *path;
    char *used; /* the file of the last use, NULL for a writer */
    pthread_t thread;
    bool has_thread, has_lock;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool is_ending; /* guarded by lock */
};

/* ---- the file */

static char *lease_text(enum store_lease_kind kind, const char *subject)
{
    char host[256] = "?", machine[LEASE_MACHINE_BYTES], started[32];
    (void)gethostname(host, sizeof host - 1);
    json_node *root = json_new_object();
    (void)json_add_number(root, "format_version", 1);
    (void)json_add_string(root, "kind", kind == STORE_LEASE_WRITER ? "writer" : "reader");
    (void)json_add_string(root, "subject", subject);
    (void)json_add_string(root, "machine", lease_machine(machine));
    (void)json_add_string(root, "host", host);
    (void)json_add_number(root, "pid", (double)getpid());
    const char *start = lease_process_started(NULL, getpid(), started);
    (void)json_add_string(root, "started", start != NULL ? start : "");
    char *text = root != NULL ? json_print(root, true) : NULL;
    json_free(root);
    return text;
}

/* A new file of that text; its name begins with '.' until it is whole. */
static model_status write_lease(const char *folder, const char *text, char **ret_path,
                                struct model_error *err)
{
    static _Atomic unsigned next;
    const unsigned number = atomic_fetch_add(&next, 1);
    char *path = NULL, *temporary = text_format("%s/.XXXXXX", folder);
    int fd = temporary != NULL ? mkstemp(temporary) : -1;
    model_status status = MODEL_OK;
    if (temporary == NULL)
        return error_no_memory(err, "a lease");
    if (fd < 0) {
        status = error_set_errno(err, errno, "cannot leave a lease in %s", folder);
        free(temporary);
        return status;
    }
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n || fchmod(fd, 0644) != 0)
        status = error_set_errno(err, errno, "cannot leave a lease in %s", folder);
    (void)close(fd);
    /* mkstemp() has made the name unique among all who write here, the number within this process. */
    path = text_format("%s/%s.%ld.%u", folder, path_base(temporary) + 1, (long)getpid(), number);
    if (path == NULL)
        status = error_no_memory(err, "a lease");
    if (status == MODEL_OK && rename(temporary, path) != 0)
        status = error_set_errno(err, errno, "cannot leave a lease in %s", folder);
    if (status != MODEL_OK) {
        (void)unlink(temporary);
        free(path);
    } else {
        *ret_path = path;
    }
    free(temporary);
    return status;
}

static void touch(const char *path)
{
    if (path != NULL)
        (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

/* Notes the time of use; what cannot be noted is not known later, nothing else. */
static void touch_used(const struct store *store, const char *path)
{
    const char *below = path + strlen(store->dir) + 1;
    char *folder = text_format("%.*s", (int)(path_base(below) - below), below);
    if (folder != NULL && store_folder_make(store, folder, NULL) == MODEL_OK) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd >= 0) {
            (void)futimens(fd, NULL);
            (void)close(fd);
        }
    }
    free(folder);
}

/* ---- renewing */

static void *keep(void *argument)
{
    struct store_lease *lease = argument;
    (void)pthread_mutex_lock(&lease->lock);
    while (!lease->is_ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STORE_LEASE_RENEW_S;
        if (pthread_cond_timedwait(&lease->ends, &lease->lock, &until) == ETIMEDOUT)
            store_lease_renew(lease);
    }
    (void)pthread_mutex_unlock(&lease->lock);
    return NULL;
}

/* Without a thread the lease is good for processes of this machine, which look at the process. */
static void start_keeping(struct store_lease *lease)
{
    pthread_attr_t attributes;
    if (pthread_mutex_init(&lease->lock, NULL) != 0)
        return;
    if (pthread_cond_init(&lease->ends, NULL) != 0) {
        (void)pthread_mutex_destroy(&lease->lock);
        return;
    }
    lease->has_lock = true;
    if (pthread_attr_init(&attributes) != 0)
        return;
    sigset_t all, before; /* the application's signals are not for a stack of this size */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    lease->has_thread = pthread_create(&lease->thread, &attributes, keep, lease) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

void store_lease_renew(struct store_lease *lease)
{
    touch(lease->path);
    touch(lease->used);
}

/* ---- public */

model_status store_lease_take(const struct store *store, enum store_lease_kind kind,
                              const char *subject, struct store_lease **ret,
                              struct model_error *err)
{
    static const char packages[] = "packages/";
    char *folder = path_join(store->dir, "leases"), *text = lease_text(kind, subject);
    struct store_lease *lease = calloc(1, sizeof *lease);
    model_status status = MODEL_OK;
    if (folder == NULL || text == NULL || lease == NULL)
        status = error_no_memory(err, "a lease");
    if (status == MODEL_OK)
        status = store_folder_make(store, "leases", err);
    if (status == MODEL_OK)
        status = write_lease(folder, text, &lease->path, err);
    if (status == MODEL_OK && kind == STORE_LEASE_READER) {
        if (strncmp(subject, packages, sizeof packages - 1) == 0)
            lease->used = text_format("%s/used/%s", store->dir, subject + sizeof packages - 1);
        if (lease->used != NULL)
            touch_used(store, lease->used);
        start_keeping(lease);
    }
    free(text);
    free(folder);
    if (status == MODEL_OK)
        *ret = lease;
    else
        free(lease);
    return status;
}

/* "<store>/packages/<key>/<digest>": the store's length; 0: it is none. */
static size_t store_length(const char *dir)
{
    static const char packages[] = "/packages/";
    const char *at = NULL;
    for (const char *next = strstr(dir, packages); next != NULL; next = strstr(next + 1, packages))
        at = next;
    return at != NULL && store_target_is_good(at + sizeof packages - 1) ? (size_t)(at - dir) : 0;
}

model_status store_lease_package(const char *package_dir, struct store_lease **ret,
                                 struct model_error *err)
{
    struct store_lease *lease = NULL;
    char *dir = realpath(package_dir, NULL);
    size_t n = dir != NULL ? store_length(dir) : 0;
    model_status status = MODEL_OK;
    if (n > 0) {
        struct store *store = NULL;
        dir[n] = '\0';
        status = store_open(dir, 0, &store, err);
        if (status == MODEL_OK)
            status = store_lease_take(store, STORE_LEASE_READER, dir + n + 1, &lease, err);
        store_close(store);
    }
    free(dir);
    if (status == MODEL_OK)
        *ret = lease;
    return status;
}

void store_lease_end(struct store_lease *lease)
{
    if (lease == NULL)
        return;
    if (lease->has_thread) {
        (void)pthread_mutex_lock(&lease->lock);
        lease->is_ending = true;
        (void)pthread_cond_signal(&lease->ends);
        (void)pthread_mutex_unlock(&lease->lock);
        (void)pthread_join(lease->thread, NULL);
    }
    if (lease->has_lock) {
        (void)pthread_cond_destroy(&lease->ends);
        (void)pthread_mutex_destroy(&lease->lock);
    }
    touch(lease->used);
    (void)unlink(lease->path);
    free(lease->used);
    free(lease->path);
    free(lease);
}
