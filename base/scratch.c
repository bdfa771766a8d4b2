/* scratch.c - see scratch.h. A lock tells the living from the dead, and goes with its process whatever ends it. Who
 * holds it and finds the name still standing for what it locked may remove or rename that; nobody else does. */
#include "scratch.h"
#include "errors.h"
#include "files.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ATTEMPTS   1000
#define MAX_NAME_BYTES 64 /* of the target's, so that the longest allowed name can be written */
#define SUFFIX         ".tmp"

static size_t shown_bytes(const char *name)
{
    const size_t n = strlen(name);
    return n <= MAX_NAME_BYTES ? n : utf8_valid_prefix(name, MAX_NAME_BYTES);
}

/* Whether the name still stands for what is open. */
static bool is_still_there(const char *path, int fd)
{
    struct stat named, open_one;
    return lstat(path, &named) == 0 && fstat(fd, &open_one) == 0 &&
           named.st_dev == open_one.st_dev && named.st_ino == open_one.st_ino;
}

bool scratch_claim(const char *path, int fd)
{
    return (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && is_still_there(path, fd);
}

static int make(const char *path, bool is_folder)
{
    if (!is_folder)
        return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (mkdir(path, 0777) != 0)
        return -1;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EEXIST)
        errno = EIO; /* another reason than that the name was taken */
    else if (fd < 0 && errno == ENOENT)
        errno = EEXIST; /* a sweep was faster */
    return fd;
}

/* In a container process numbers repeat, so a name that is taken is passed by; so is what a sweep took for a dead
 * one's between its making and its lock. */
static model_status create(const char *target, bool is_folder, struct scratch *ret,
                           struct model_error *err)
{
    static _Atomic unsigned counter;
    const char *name = path_base(target);
    for (int attempt = 0;; attempt++) {
        char *path = text_format("%.*s.%.*s.%ld.%u" SUFFIX, (int)(name - target), target,
                                 (int)shown_bytes(name), name, (long)getpid(),
                                 atomic_fetch_add(&counter, 1));
        if (path == NULL)
            return error_no_memory(err, target);
        const int fd = make(path, is_folder);
        int reason = fd >= 0 ? EEXIST : errno;
        if (fd >= 0 && scratch_claim(path, fd)) {
            *ret = (struct scratch){path, fd};
            return MODEL_OK;
        }
        if (fd >= 0)
            (void)close(fd);
        free(path);
        if (reason != EEXIST || attempt >= MAX_ATTEMPTS)
            return error_set_errno(err, reason, "cannot create %s", target);
    }
}

model_status scratch_file(const char *target, struct scratch *ret, struct model_error *err)
{
    return create(target, false, ret, err);
}

model_status scratch_folder(const char *target, struct scratch *ret, struct model_error *err)
{
    return create(target, true, ret, err);
}

/* Two numbers and the suffix. */
static bool ends_as_one(const char *text)
{
    static const char digits[] = "0123456789";
    const size_t pid = strspn(text, digits);
    if (pid == 0 || text[pid] != '.')
        return false;
    const size_t number = strspn(text + pid + 1, digits);
    return number > 0 && strcmp(text + pid + 1 + number, SUFFIX) == 0;
}

bool scratch_is_name_of(const char *name, const char *target_name)
{
    const size_t n = shown_bytes(target_name);
    return name[0] == '.' && strncmp(name + 1, target_name, n) == 0 && name[1 + n] == '.' &&
           ends_as_one(name + n + 2);
}

static void remove_if_dead(const char *path)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_there(path, fd))
        (void)dir_remove_all(path, NULL);
    (void)close(fd);
}

enum scratch_life scratch_life(const char *path)
{
    struct stat info;
    enum scratch_life life = SCRATCH_UNKNOWN;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return life;
    if (fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))
        life = flock(fd, LOCK_EX | LOCK_NB) == 0 ? SCRATCH_DEAD
               : errno == EWOULDBLOCK            ? SCRATCH_LIVES
                                                 : SCRATCH_UNKNOWN;
    (void)close(fd);
    return life;
}

void scratch_sweep(const char *target)
{
    const char *name = path_base(target);
    char *folder =
        name == target ? text_format(".") : text_format("%.*s", (int)(name - target), target);
    struct dir_list list = {0};
    if (folder == NULL || dir_read(folder, &list, NULL) != MODEL_OK) {
        free(folder);
        return;
    }
    for (size_t i = 0; i < list.n_names; i++) {
        char *path =
            scratch_is_name_of(list.names[i], name) ? path_join(folder, list.names[i]) : NULL;
        if (path != NULL)
            remove_if_dead(path);
        free(path);
    }
    dir_list_finish(&list);
    free(folder);
}

static void forget(struct scratch *scratch)
{
    if (scratch->fd >= 0)
        (void)close(scratch->fd);
    free(scratch->path);
    *scratch = SCRATCH_NONE;
}

model_status scratch_publish(struct scratch *scratch, const char *target, struct model_error *err)
{
    if (rename(scratch->path, target) != 0)
        return error_set_errno(err, errno, "cannot replace %s", target);
    forget(scratch);
    return dir_sync_parent(target, err);
}

void scratch_discard(struct scratch *scratch)
{
    if (scratch->path != NULL)
        (void)dir_remove_all(scratch->path, NULL);
    forget(scratch);
}
