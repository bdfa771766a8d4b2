/* store_staging.c - folders for work in progress, below <store>/tmp; see store_make_staging() in
 * store.h. Who works in one holds a lock on the folder itself, which ends with the process however that
 * ends; the folder's name says so (".held"), and is given after the lock is taken. So a held folder whose
 * lock can be had is a dead process's, and whoever makes the next one, or tidies, removes it. Where folders cannot be
 * locked (some network disks) those go that nothing was written to for a day. On other network disks a lock is
 * had by every machine: therefore a lease (store_lease.h) stands beside the lock, and a folder goes only when
 * neither says that somebody is there. Any thread, any process. */
#include "errors.h"
#include "store_lease.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STALE_AFTER_S (24 * 60 * 60)
#define EMPTY_AFTER_S 60
#define HELD          ".held"

struct store_held {
    char *dir;
    int fd;                    /* has the lock, -1: this disk knows none */
    struct store_lease *lease; /* NULL: it could not be left */
};

/* ---- locks */

static int lock_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool is_held_name(const char *name)
{
    size_t length = strlen(name);
    return length > sizeof HELD - 1 && strcmp(name + length - (sizeof HELD - 1), HELD) == 0;
}

static bool note_held(struct store_memory *memory, const char *dir, int fd)
{
    char *copy = text_format("%s", dir);
    (void)pthread_mutex_lock(&memory->lock);
    void *larger = realloc(memory->held, (memory->n_held + 1) * sizeof *memory->held);
    bool noted = copy != NULL && larger != NULL;
    if (larger != NULL)
        memory->held = larger;
    if (noted)
        memory->held[memory->n_held++] = (struct store_held){copy, fd, NULL};
    (void)pthread_mutex_unlock(&memory->lock);
    if (!noted)
        free(copy);
    return noted;
}

/* Locks a new folder and gives it the name of a held one: takes *dir and gives another. Where it
 * cannot, the folder stays as it is. */
static void hold(struct store_memory *memory, char **dir)
{
    int fd = lock_folder(*dir);
    char *held = fd >= 0 ? text_format("%s" HELD, *dir) : NULL;
    if (held == NULL || rename(*dir, held) != 0) {
        free(held);
        if (fd >= 0)
            (void)close(fd);
        (void)note_held(memory, *dir, -1);
        return;
    }
    if (note_held(memory, held, fd)) {
        free(*dir);
        *dir = held;
        return;
    }
    if (rename(held, *dir) != 0) /* unlocked, under a name that others may remove */
        (void)rmdir(held);
    (void)close(fd);
    free(held);
}

/* Says to other machines, and to who collects garbage, that work goes on in the folder. */
static void leave_lease(const struct store *store, const char *dir)
{
    struct store_lease *lease = NULL;
    char *subject = text_format("tmp/%s", path_base(dir));
    if (subject != NULL)
        (void)store_lease_take(store, STORE_LEASE_WRITER, subject, &lease, NULL);
    free(subject);
    (void)pthread_mutex_lock(&store->memory->lock);
    for (size_t i = 0; i < store->memory->n_held && lease != NULL; i++) {
        struct store_held *held = &store->memory->held[i];
        if (strcmp(held->dir, dir) != 0)
            continue;
        held->lease = lease;
        lease = NULL;
    }
    (void)pthread_mutex_unlock(&store->memory->lock);
    store_lease_end(lease);
}

static void let_go(const struct store_held *held)
{
    store_lease_end(held->lease);
    if (held->fd >= 0)
        (void)close(held->fd);
    free(held->dir);
}

static void release(struct store_memory *memory, const char *dir)
{
    (void)pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->n_held; i++) {
        if (strcmp(memory->held[i].dir, dir) != 0)
            continue;
        let_go(&memory->held[i]);
        memory->held[i] = memory->held[--memory->n_held];
        break;
    }
    (void)pthread_mutex_unlock(&memory->lock);
}

void store_release_staging(struct store_memory *memory)
{
    for (size_t i = 0; i < memory->n_held; i++)
        let_go(&memory->held[i]);
    free(memory->held);
    memory->held = NULL;
    memory->n_held = 0;
}

/* ---- what is left of others */

/* When something was last written here or below, and how much there is. A folder's own time stands
 * still while a large file in it grows. */
static time_t last_written(const char *path, uint64_t *total_bytes)
{
    struct stat info;
    struct dir_list list = {0};
    if (lstat(path, &info) != 0)
        return 0;
    time_t last = info.st_mtime;
    if (S_ISREG(info.st_mode))
        *total_bytes += (uint64_t)info.st_size;
    if (!S_ISDIR(info.st_mode) || dir_read(path, &list, NULL) != MODEL_OK)
        return last;
    for (size_t i = 0; i < list.n_names; i++) {
        char *child = path_join(path, list.names[i]);
        time_t written = child != NULL ? last_written(child, total_bytes) : 0;
        if (written > last)
            last = written;
        free(child);
    }
    dir_list_finish(&list);
    return last;
}

static bool is_older(const char *path, time_t now, time_t age_s)
{
    struct stat info;
    return lstat(path, &info) == 0 && now - info.st_mtime > age_s;
}

static bool is_stale(const char *path, time_t now)
{
    struct stat info;
    uint64_t size_bytes = 0;
    return lstat(path, &info) == 0 && now - info.st_mtime > STALE_AFTER_S &&
           now - last_written(path, &size_bytes) > STALE_AFTER_S;
}

/* A folder without anything in it, or the file by which the disk was asked for the time. */
static void remove_empty(const struct store *store, const char *name)
{
    if (!store_folder_rmdir(store, "tmp", name) && strncmp(name, ".time.", 6) == 0)
        (void)store_folder_unlink(store, "tmp", name);
}

/* Removes a folder whose owner is gone: no lease, and no lock, or, without locks, a day of silence. */
static void remove_dead(const struct store *store, const struct store_leases *leases,
                        const char *path, time_t now)
{
    char subject[64];
    const char *name = path_base(path);
    (void)snprintf(subject, sizeof subject, "tmp/%.50s", name);
    if (store_leases_hold(leases, subject))
        return;
    bool is_held = is_held_name(name);
    int fd = is_held ? lock_folder(path) : -1;
    if (is_held ? fd >= 0 : is_stale(path, now))
        (void)store_folder_remove(store, "tmp", name);
    else if (!is_held && is_older(path, now, EMPTY_AFTER_S))
        remove_empty(store, name); /* its process ended before it could lock it */
    if (fd >= 0)
        (void)close(fd);
}

void store_clean_staging(const struct store *store, time_t now)
{
    struct dir_list list = {0};
    struct store_leases leases = {0};
    char *parent = path_join(store->dir, "tmp");
    if (parent == NULL || store_folder_read(store, "tmp", &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    if (list.n_names > 0 && store_leases_read(store, now, NULL, &leases, NULL) != MODEL_OK)
        dir_list_finish(&list); /* who is there is not known */
    for (size_t i = 0; i < list.n_names; i++) {
        char *path = store_name_is_staging(list.names[i]) ? path_join(parent, list.names[i]) : NULL;
        if (path != NULL)
            remove_dead(store, &leases, path, now);
        free(path);
    }
    store_leases_finish(&leases);
    dir_list_finish(&list);
    free(parent);
}

uint64_t store_staging_bytes(const struct store *store)
{
    uint64_t total_bytes = 0;
    char *tmp = path_join(store->dir, "tmp");
    if (tmp != NULL)
        (void)last_written(tmp, &total_bytes);
    free(tmp);
    return total_bytes;
}

/* ---- public */

model_status store_make_staging(const struct store *store, char **ret_dir, struct model_error *err)
{
    char *dir = path_join(store->dir, "tmp/XXXXXX");
    model_status status = MODEL_OK;
    if (dir == NULL)
        status = error_no_memory(err, "a folder for work in progress");
    else
        status = store_folder_make(store, "tmp", err);
    if (status == MODEL_OK)
        store_clean_staging(store, time(NULL));
    if (status == MODEL_OK && mkdtemp(dir) == NULL)
        status = error_set_errno(err, errno, "cannot make a folder below %s/tmp", store->dir);
    if (status != MODEL_OK) {
        free(dir);
        return status;
    }
    hold(store->memory, &dir);
    leave_lease(store, dir);
    *ret_dir = dir;
    return MODEL_OK;
}

void store_tidy(const struct store *store)
{
    store_clean_staging(store, time(NULL));
}

void store_end_staging(const struct store *store, char *dir)
{
    if (dir == NULL)
        return;
    (void)dir_remove_all(dir, NULL);
    release(store->memory, dir);
    free(dir);
}
