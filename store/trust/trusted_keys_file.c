/* trusted_keys_file.c - the list of trusted keys on disk (trusted_keys.h): who may write to it says what is trusted, so it
 * is refused where others may, be it the file, a folder on the way to it, or one that a link stands in. */
#include "errors.h"
#include "files.h"
#include "trusted_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40

static bool others_may_write(const struct stat *info)
{
    return (info->st_uid != geteuid() && info->st_uid != 0) ||
           (info->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static model_status refuse_others(const char *path, const char *what, struct model_error *err)
{
    return error_set(err, MODELHOST_UNTRUSTED,
                     "%s: others may write to %s, and so say what is trusted; look through the "
                     "file, then chmod go-w both it and its folder, and see whose they are",
                     path, what);
}

/* The folder that a path stands in. To be freed. */
static char *folder_of(const char *path)
{
    const int n_folder = (int)(path_base(path) - path); /* with its '/' */
    return n_folder == 0 ? text_format(".")
                         : text_format("%.*s", n_folder > 1 ? n_folder - 1 : 1, path);
}

static model_status check_folder(const char *path, const char *step, struct model_error *err)
{
    struct stat info;
    char *folder = folder_of(step);
    if (folder == NULL)
        return error_no_memory(err, "a path");
    model_status status = MODEL_OK;
    if (stat(folder, &info) != 0)
        status = error_set_errno(err, errno, "cannot open %s", path);
    else if (others_may_write(&info))
        status = refuse_others(path, folder, err);
    free(folder);
    return status;
}

/* Where a link leads; NULL in *ret: it is none. To be freed. */
static model_status follow(const char *path, const char *step, char **ret, struct model_error *err)
{
    char target[PATH_MAX];
    const ssize_t n = readlink(step, target, sizeof target);
    *ret = NULL;
    if (n < 0)
        return errno == EINVAL ? MODEL_OK : error_set_errno(err, errno, "cannot open %s", path);
    if (n == (ssize_t)sizeof target)
        return error_set_errno(err, ENAMETOOLONG, "cannot open %s", path);
    *ret = target[0] == '/'
               ? text_format("%.*s", (int)n, target)
               : text_format("%.*s%.*s", (int)(path_base(step) - step), step, (int)n, target);
    return *ret != NULL ? MODEL_OK : error_no_memory(err, "a path");
}

/* The folder of the file, and of each link on the way to it: who may put another one there chooses the list. */
static model_status check_folders(const char *path, struct model_error *err)
{
    char *step = text_format("%s", path), *next = NULL;
    model_status status = step != NULL ? MODEL_OK : error_no_memory(err, "a path");
    for (int i = 0; status == MODEL_OK; i++) {
        status = i < MAX_LINKS ? check_folder(path, step, err)
                               : error_set_errno(err, ELOOP, "cannot open %s", path);
        if (status == MODEL_OK)
            status = follow(path, step, &next, err);
        free(step);
        step = next;
        next = NULL;
        if (step == NULL)
            break;
    }
    free(step);
    return status;
}

static model_status check_file(int fd, const char *path, uint64_t *ret_bytes,
                               struct model_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    if (!S_ISREG(info.st_mode) || info.st_size > TRUSTED_KEYS_MAX_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s is no regular file of at most %u bytes; give a list of trusted keys "
                         "as 'pkgmgr keys trust' makes it",
                         path, TRUSTED_KEYS_MAX_BYTES);
    if (others_may_write(&info))
        return refuse_others(path, "it", err);
    *ret_bytes = (uint64_t)info.st_size;
    return check_folders(path, err);
}

model_status trusted_keys_read(const char *path, struct trusted_keys *ret, struct model_error *err)
{
    uint64_t n_bytes = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *ret = (struct trusted_keys){0};
        return MODEL_OK;
    }
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    model_status status = check_file(fd, path, &n_bytes, err);
    char *text = status == MODEL_OK ? malloc((size_t)n_bytes + 1) : NULL;
    if (status == MODEL_OK && text == NULL)
        status = error_no_memory(err, path);
    if (status == MODEL_OK)
        status = file_read_at(fd, path, text, n_bytes, 0, err);
    (void)close(fd);
    if (status == MODEL_OK)
        status = trusted_keys_parse(text, (size_t)n_bytes, path, ret, err);
    free(text);
    return status;
}

/* The folder, open and locked where the disk can do that. */
static model_status lock_folder(const char *path, int *ret_fd, struct model_error *err)
{
    char *folder = folder_of(path);
    if (folder == NULL)
        return error_no_memory(err, "a path");
    model_status status = dir_make_private(folder, err);
    const int fd = status == MODEL_OK ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (status == MODEL_OK && fd < 0)
        status = error_set_errno(err, errno, "cannot open %s", folder);
    free(folder);
    if (status != MODEL_OK)
        return status;
    while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
        ;
    *ret_fd = fd;
    return MODEL_OK;
}

struct list_text {
    const char *text;
    mode_t mode;
};

static model_status write_list(void *context, struct file_out *out, struct model_error *err)
{
    const struct list_text *list = context;
    model_status status = file_out_set_mode(out, list->mode, err);
    return status == MODEL_OK ? file_out_write(out, list->text, strlen(list->text), err) : status;
}

/* For its owner only, whatever the umask is; others may go on reading a list that they could read. */
static model_status replace_list(const char *path, const char *text, struct model_error *err)
{
    struct stat info;
    const mode_t readers = stat(path, &info) == 0 ? info.st_mode & (S_IRGRP | S_IROTH) : 0;
    struct list_text list = {text, S_IRUSR | S_IWUSR | readers};
    return file_write_made(path, write_list, &list, err);
}

model_status trusted_keys_change(const char *path,
                                 model_status (*change)(void *context, struct trusted_keys *keys,
                                                        struct model_error *err),
                                 void *context, struct model_error *err)
{
    int fd = -1;
    char *text = NULL;
    struct trusted_keys keys = {0};
    model_status status = lock_folder(path, &fd, err);
    if (status != MODEL_OK)
        return status;
    status = trusted_keys_read(path, &keys, err);
    if (status == MODEL_OK)
        status = change(context, &keys, err);
    if (status == MODEL_OK && (text = trusted_keys_print(&keys)) == NULL)
        status = error_no_memory(err, "the list of trusted keys");
    if (status == MODEL_OK)
        status = replace_list(path, text, err);
    free(text);
    trusted_keys_finish(&keys);
    (void)close(fd);
    return status;
}
