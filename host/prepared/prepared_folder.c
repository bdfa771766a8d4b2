/* prepared_folder.c - see prepared_folder.h.
 *
 * A file is not synced before it is renamed: each blob in it has a checksum, so that what a power cut left is found
 * and made again, and nobody waits for the disk. */
#include "prepared_folder.h"
#include "buffer.h"
#include "errors.h"
#include "files.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#define ATIME st_atimespec
#define MTIME st_mtimespec
#else
#define ATIME st_atim
#define MTIME st_mtim
#endif

#define DRAFT_PREFIX ".draft-"
#define MAX_FILES    100000 /* more are somebody's joke: they are left alone */
#define MAX_ATTEMPTS 100
#define KEY_DIGITS   40 /* of a name; what follows is of the first blob's key */

static uint64_t bound(const struct prepared_folder *folder)
{
    return folder->max_bytes > 0 ? folder->max_bytes : PREPARED_DEFAULT_BYTES;
}

static char *path_of(const struct prepared_folder *folder, const char *name)
{
    return text_format("%s/" PREPARED_FOLDER_NAME "/%s", folder->store_dir, name);
}

model_status prepared_folder_name(const char *key, const char *first_key,
                                  char ret_name[SHA256_HEX_BYTES])
{
    struct digest *digest = NULL;
    char hex[SHA256_HEX_BYTES];
    model_status status = digest_create_sha256(&digest, NULL);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, first_key, strlen(first_key) + 1);
    digest_finish_hex(digest, hex);
    (void)snprintf(ret_name, SHA256_HEX_BYTES, "%.*s%.*s", KEY_DIGITS, key,
                   SHA256_HEX_BYTES - 1 - KEY_DIGITS, hex);
    return MODEL_OK;
}

/* ---- reading */

/* NULL: it may be used. */
static const char *why_not(const struct prepared_folder *folder, int fd)
{
    struct stat file;
    const char *why = file_distrust(fd);
    if (why != NULL)
        return why;
    return fstat(fd, &file) == 0 && (uint64_t)file.st_size <= bound(folder)
               ? NULL
               : "it is larger than prepared_max_bytes";
}

int prepared_folder_open(const struct prepared_folder *folder, const char *name)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    char *path = folder->store_dir != NULL ? path_of(folder, name) : NULL;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    const char *why = fd >= 0                           ? why_not(folder, fd)
                      : path != NULL && errno == ELOOP  ? "it is a symbolic link"
                      : path != NULL && errno != ENOENT ? strerror(errno)
                                                        : NULL;
    if (why != NULL)
        log_write(folder->log, MODEL_LOG_DEBUG, "%s is not used: %s", path, why);
    if (fd >= 0 && why != NULL) {
        (void)close(fd);
        fd = -1;
    }
    if (fd >= 0)
        (void)futimens(fd, times); /* a store that may only be read has no order of use */
#ifdef POSIX_FADV_WILLNEED
    if (fd >= 0) /* all of it is compared with checksums next */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
#endif
    free(path);
    return fd;
}

/* ---- the bound */

struct kept {
    char *path;
    uint64_t size_bytes;
    int64_t used_ns;
};

static int64_t in_ns(struct timespec at)
{
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int by_use(const void *a, const void *b)
{
    const int64_t x = ((const struct kept *)a)->used_ns, y = ((const struct kept *)b)->used_ns;
    return x < y ? -1 : x > y;
}

/* What we have made; a store may be others', too, and have their files. */
static bool is_ours(const char *name)
{
    return (strlen(name) == SHA256_HEX_BYTES - 1 &&
            strspn(name, "0123456789abcdef") == SHA256_HEX_BYTES - 1) ||
           strncmp(name, DRAFT_PREFIX, sizeof DRAFT_PREFIX - 1) == 0;
}

/* A link would lead what is written and removed elsewhere. */
static bool is_folder(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Where locks do not tell, age does. */
static bool is_dead(const char *path, const struct stat *file, int64_t now_s)
{
    const enum scratch_life life = scratch_life(path);
    return life == SCRATCH_DEAD ||
           (life == SCRATCH_UNKNOWN && now_s - (int64_t)file->MTIME.tv_sec > PREPARED_LEFT_S);
}

/* Adds a file of the folder. One that is being made is its maker's, one that a dead process began is removed. */
static bool add(char *path, const char *name, int64_t now_s, struct kept *ret)
{
    struct stat file;
    if (path == NULL || !is_ours(name) || lstat(path, &file) != 0 || !S_ISREG(file.st_mode))
        return false;
    if (name[0] == '.') {
        if (is_dead(path, &file, now_s))
            (void)unlink(path);
        return false;
    }
    const int64_t read_ns = in_ns(file.ATIME), made_ns = in_ns(file.MTIME);
    *ret = (struct kept){path, (uint64_t)file.st_size, read_ns > made_ns ? read_ns : made_ns};
    return true;
}

static void free_list(struct kept *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(all[i].path);
    free(all);
}

/* What is kept, the least recently used first. NULL: there is no folder, or no memory. */
static struct kept *list_files(const struct prepared_folder *folder, size_t *ret_n)
{
    struct dir_list names = {0};
    char *parent = path_join(folder->store_dir, PREPARED_FOLDER_NAME);
    const bool is_read =
        parent != NULL && is_folder(parent) && dir_read(parent, &names, NULL) == MODEL_OK;
    struct kept *all =
        is_read && names.n_names <= MAX_FILES ? calloc(names.n_names + 1, sizeof *all) : NULL;
    size_t n = 0;
    for (size_t i = 0; all != NULL && i < names.n_names; i++) {
        char *path = path_join(parent, names.names[i]);
        if (add(path, names.names[i], (int64_t)time(NULL), &all[n]))
            n++;
        else
            free(path);
    }
    if (n > 0)
        qsort(all, n, sizeof *all, by_use);
    dir_list_finish(&names);
    free(parent);
    *ret_n = n;
    return all;
}

/* Whether a file is one of a key's, or of that of another file's name. */
static bool is_of(const struct kept *file, const char *key)
{
    return strncmp(path_base(file->path), key, KEY_DIGITS) == 0;
}

/* The least recently used go first, `spared` never: it is the newest. What cannot be removed stays. */
static void trim(const struct prepared_folder *folder, const char *spared)
{
    uint64_t total = 0;
    size_t n = 0, n_forms = 0;
    struct kept *all = list_files(folder, &n);
    for (size_t i = 0; i < n; i++) {
        total += all[i].size_bytes;
        n_forms += is_of(&all[i], spared);
    }
    for (size_t i = 0; i < n; i++) {
        const bool is_form = is_of(&all[i], spared);
        const bool is_too_much = total > bound(folder) || (is_form && n_forms > PREPARED_MAX_FORMS);
        if (!is_too_much || strcmp(path_base(all[i].path), spared) == 0 || unlink(all[i].path) != 0)
            continue;
        log_write(folder->log, MODEL_LOG_DEBUG,
                  "%s is removed: it was not used for longest, and all have %llu bytes, want "
                  "at most prepared_max_bytes %llu and %d files of one model",
                  all[i].path, (unsigned long long)total, (unsigned long long)bound(folder),
                  PREPARED_MAX_FORMS);
        total -= all[i].size_bytes;
        n_forms -= is_form;
    }
    free_list(all, n);
}

void prepared_folder_open_all(const struct prepared_folder *folder, const char *key,
                              int ret_fds[PREPARED_MAX_FORMS])
{
    size_t n = 0, n_open = 0;
    struct kept *all = folder->store_dir != NULL ? list_files(folder, &n) : NULL;
    for (size_t i = n; i > 0 && n_open < PREPARED_MAX_FORMS; i--) {
        const int fd =
            is_of(&all[i - 1], key) ? prepared_folder_open(folder, path_base(all[i - 1].path)) : -1;
        if (fd >= 0)
            ret_fds[n_open++] = fd;
    }
    while (n_open < PREPARED_MAX_FORMS)
        ret_fds[n_open++] = -1;
    free_list(all, n);
}

/* ---- writing */

/* A new file, locked, so that who finds it knows that somebody works on it; `path` ends with the X's that mkstemp() wants
 * and gets its name. Another one is made when somebody was faster than the lock. */
static int make_draft(char *path)
{
    static const char blanks[] = "XXXXXX";
    char *end = path + strlen(path) - (sizeof blanks - 1);
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        memcpy(end, blanks, sizeof blanks);
        const int fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0 || scratch_claim(path, fd))
            return fd;
        (void)unlink(path);
        (void)close(fd);
    }
    errno = EBUSY;
    return -1;
}

model_status prepared_folder_begin(const struct prepared_folder *folder, uint64_t size_bytes,
                                   struct prepared_draft *ret, struct model_error *err)
{
    if (folder->store_dir == NULL || !path_is_dir(folder->store_dir))
        return error_set(err, MODEL_NOT_FOUND, "there is no store to keep prepared weights in");
    if (size_bytes > bound(folder))
        return error_set(err, MODEL_UNSUPPORTED,
                         "prepared weights have %llu bytes, prepared_max_bytes is %llu",
                         (unsigned long long)size_bytes, (unsigned long long)bound(folder));
    char *parent = path_join(folder->store_dir, PREPARED_FOLDER_NAME);
    char *path = path_of(folder, DRAFT_PREFIX "XXXXXX");
    model_status status = MODEL_OK;
    int fd = -1;
    if (parent == NULL || path == NULL)
        status = error_no_memory(err, "a path");
    else if (mkdir(parent, 0755) != 0 && errno != EEXIST)
        status = error_set_errno(err, errno, "cannot make %s", parent);
    else if (!is_folder(parent))
        status = error_set(err, MODEL_CORRUPT, "%s is no folder, or a symbolic link", parent);
    else if ((fd = make_draft(path)) < 0)
        status = error_set_errno(err, errno, "cannot write into %s", parent);
    free(parent);
    if (status == MODEL_OK)
        *ret = (struct prepared_draft){fd, path};
    else
        free(path);
    return status;
}

static void release(struct prepared_draft *draft)
{
    (void)close(draft->fd);
    free(draft->path);
    *draft = (struct prepared_draft){.fd = -1};
}

void prepared_draft_end(struct prepared_draft *draft)
{
    if (draft->path == NULL)
        return;
    (void)unlink(draft->path);
    release(draft);
}

model_status prepared_folder_publish(const struct prepared_folder *folder, const char *name,
                                     struct prepared_draft *draft, struct model_error *err)
{
    char *path = path_of(folder, name);
    model_status status = path != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && fchmod(draft->fd, 0444) != 0)
        status = error_set_errno(err, errno, "cannot change the mode of %s", draft->path);
    if (status == MODEL_OK && rename(draft->path, path) != 0)
        status = error_set_errno(err, errno, "cannot rename %s to %s", draft->path, path);
    free(path);
    if (status != MODEL_OK) {
        prepared_draft_end(draft);
        return status;
    }
    release(draft);
    trim(folder, name);
    return MODEL_OK;
}

/* Each load packs them again then: a folder that cannot be written, or a full disk, is worth a word. */
void prepared_folder_say_not_kept(const struct prepared_folder *folder, model_status status,
                                  const struct model_error *err)
{
    if (status != MODEL_IO)
        log_write(folder->log, MODEL_LOG_DEBUG, "prepared weights are not kept: %s", err->message);
    else
        log_write(
            folder->log, MODEL_LOG_WARN,
            "prepared weights are not kept, so the next load packs them again: %s; mend that, "
            "or say prepared_max_bytes 1 to keep none",
            err->message);
}
