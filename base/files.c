/* files.c - see files.h. No state, any thread. */
#include "files.h"
#include "errors.h"
#include "scratch.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static model_status read_all(int fd, const char *path, size_t max_bytes, struct buffer *ret,
                             struct model_error *err)
{
    char block[65536];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return buffer_append(ret, "", 0);
        total += (size_t)n;
        if (total > max_bytes)
            return error_set(err, MODEL_CORRUPT, "%s: more than the limit of %zu bytes", path,
                             max_bytes);
        if (buffer_append(ret, block, (size_t)n) != MODEL_OK)
            return error_no_memory(err, path);
    }
}

/* An open file; does not close it. */
static model_status read_open(int fd, const char *path, size_t max_bytes, struct buffer *ret,
                              struct model_error *err)
{
    struct stat info;
    model_status status = MODEL_OK;
    if (fstat(fd, &info) != 0)
        status = error_set_errno(err, errno, "cannot stat %s", path);
    else if (!S_ISREG(info.st_mode))
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    else if ((uint64_t)info.st_size > max_bytes)
        status = error_set(err, MODEL_CORRUPT, "%s: %lld bytes, the limit is %zu", path,
                           (long long)info.st_size, max_bytes);
    else if (buffer_reserve(ret, (size_t)info.st_size) != MODEL_OK)
        status = error_no_memory(err, path);
    else
        status = read_all(fd, path, max_bytes, ret, err);
    return status;
}

model_status file_read(const char *path, size_t max_bytes, struct buffer *ret,
                       struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    model_status status = read_open(fd, path, max_bytes, ret, err);
    (void)close(fd);
    return status;
}

const char *file_distrust(int fd)
{
    struct stat file;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return "it is not a regular file";
    if (file.st_uid != geteuid() && file.st_uid != 0)
        return "it belongs to another user";
    return (file.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "it may be written to by others" : NULL;
}

model_status file_read_trusted(const char *path, size_t max_bytes, struct buffer *ret,
                               struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, MODEL_CORRUPT, "%s is not used: it is a symbolic link", path);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    const char *why = file_distrust(fd);
    model_status status = why == NULL
                              ? read_open(fd, path, max_bytes, ret, err)
                              : error_set(err, MODEL_CORRUPT, "%s is not used: %s", path, why);
    (void)close(fd);
    return status;
}

model_status file_read_at(int fd, const char *path, void *data, uint64_t size_bytes,
                          uint64_t offset, struct model_error *err)
{
    char *at = data;
    while (size_bytes > 0) {
        const size_t wanted = size_bytes < (1u << 30) ? (size_t)size_bytes : 1u << 30;
        const ssize_t n = pread(fd, at, wanted, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return error_set(err, MODEL_CORRUPT, "%s: truncated while it was read", path);
        at += n;
        offset += (uint64_t)n;
        size_bytes -= (uint64_t)n;
    }
    return MODEL_OK;
}

model_status file_write_all(int fd, const char *path, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    const char *at = data;
    while (size_bytes > 0) {
        ssize_t n = write(fd, at, size_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot write %s", path);
        at += n;
        size_bytes -= (size_t)n;
    }
    return MODEL_OK;
}

struct file_out {
    int fd;
    const char *path; /* for errors */
};

model_status file_out_write(struct file_out *out, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    return file_write_all(out->fd, out->path, data, size_bytes, err);
}

model_status file_out_set_mode(struct file_out *out, unsigned mode, struct model_error *err)
{
    if (fchmod(out->fd, (mode_t)mode) != 0)
        return error_set_errno(err, errno, "cannot set the permissions of %s", out->path);
    return MODEL_OK;
}

model_status dir_sync_parent(const char *path, struct model_error *err)
{
    const char *base = path_base(path);
    char *parent = base == path ? text_format(".") : text_format("%.*s", (int)(base - path), path);
    if (parent == NULL)
        return error_no_memory(err, path);
    model_status status = dir_sync(parent, err);
    free(parent);
    return status;
}

/* A rename would put a file in the place of a device. */
model_status file_check_target(const char *path, char **ret_resolved, struct model_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0) /* nothing there, or creating beside it says why */
        return MODEL_OK;
    char *resolved = NULL;
    if (S_ISLNK(info.st_mode)) {
        if (stat(path, &info) != 0)
            return error_set_errno(err, errno, "cannot follow the link %s", path);
        /* before realpath(): what /dev/stdout leads to need not have a path */
        if (S_ISREG(info.st_mode) && (resolved = realpath(path, NULL)) == NULL)
            return error_set_errno(err, errno, "cannot follow the link %s", path);
    }
    if (!S_ISREG(info.st_mode))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    *ret_resolved = resolved;
    return MODEL_OK;
}

static model_status replace_file(const char *path, file_make_fn *make, void *context,
                                 struct model_error *err)
{
    struct scratch scratch = SCRATCH_NONE;
    model_status status = scratch_file(path, &scratch, err);
    if (status != MODEL_OK)
        return status;
    struct file_out out = {.fd = scratch.fd, .path = path};
    status = make(context, &out, err);
    if (status == MODEL_OK && fsync(scratch.fd) != 0)
        status = error_set_errno(err, errno, "cannot sync %s", path);
    if (status == MODEL_OK)
        status = scratch_publish(&scratch, path, err);
    scratch_discard(&scratch);
    return status;
}

static model_status write_made(const char *path, bool sweeps, file_make_fn *make, void *context,
                               struct model_error *err)
{
    char *resolved = NULL;
    model_status status = file_check_target(path, &resolved, err);
    const char *target = resolved != NULL ? resolved : path;
    if (status == MODEL_OK && sweeps)
        scratch_sweep(target);
    if (status == MODEL_OK)
        status = replace_file(target, make, context, err);
    free(resolved);
    return status;
}

model_status file_write_made(const char *path, file_make_fn *make, void *context,
                             struct model_error *err)
{
    return write_made(path, true, make, context, err);
}

struct pieces {
    const struct file_piece *pieces; /* (n_pieces) */
    size_t n_pieces;
};

static model_status write_pieces(void *context, struct file_out *out, struct model_error *err)
{
    const struct pieces *list = context;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < list->n_pieces && status == MODEL_OK; i++)
        status = file_out_write(out, list->pieces[i].data, list->pieces[i].size_bytes, err);
    return status;
}

model_status file_write_pieces(const char *path, const struct file_piece *pieces, size_t n_pieces,
                               struct model_error *err)
{
    /* short contents, often: what they leave is not worth reading the folder each time */
    return write_made(path, false, write_pieces, &(struct pieces){pieces, n_pieces}, err);
}

model_status file_write_atomic(const char *path, const void *data, size_t size_bytes,
                               struct model_error *err)
{
    return file_write_pieces(path, &(struct file_piece){data, size_bytes}, 1, err);
}

model_status file_replace_atomic(const char *path, const void *data, size_t size_bytes,
                                 struct model_error *err)
{
    struct stat info;
    const struct file_piece piece = {data, size_bytes};
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    return replace_file(path, write_pieces, &(struct pieces){&piece, 1}, err);
}

model_status dir_sync(const char *path, struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open folder %s", path);
    model_status status = MODEL_OK;
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = error_set_errno(err, errno, "cannot sync folder %s", path);
    (void)close(fd);
    return status;
}

model_status dir_make_all(const char *path, struct model_error *err)
{
    if (path[0] == '\0')
        return error_set_errno(err, ENOENT, "cannot make a folder without a name");
    char *copy = text_format("%s", path);
    if (copy == NULL)
        return error_no_memory(err, path);
    model_status status = MODEL_OK;
    for (char *p = copy + 1; status == MODEL_OK; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        int reason = mkdir(copy, 0777) == 0 ? 0 : errno;
        if (reason != 0 && !path_is_dir(copy))
            status = error_set_errno(err, reason, "cannot make folder %s", copy);
        *p = end;
        if (end == '\0')
            break;
    }
    free(copy);
    return status;
}

model_status dir_make_private(const char *path, struct model_error *err)
{
    char *above = text_format("%.*s", (int)(path_base(path) - path), path);
    if (above == NULL)
        return error_no_memory(err, path);
    model_status status = above[0] != '\0' ? dir_make_all(above, err) : MODEL_OK;
    free(above);
    if (status != MODEL_OK || mkdir(path, S_IRWXU) == 0)
        return status;
    const int reason = errno;
    return path_is_dir(path) ? MODEL_OK
                             : error_set_errno(err, reason, "cannot make folder %s", path);
}

bool path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool path_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

char *path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    return text_format("%s%s%s", folder, length > 0 && folder[length - 1] != '/' ? "/" : "", name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool part_is_safe(const char *part, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > 255)
        return false;
    if (part[0] == '.' && (size_bytes == 1 || (size_bytes == 2 && part[1] == '.')))
        return false;
    for (size_t i = 0; i < size_bytes; i++) {
        if (part[i] == '\\' || part[i] == ':' || utf8_control_bytes(part + i, size_bytes - i) > 0)
            return false;
    }
    return true;
}

bool path_is_safe(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length > 1024 || utf8_valid_prefix(path, length) != length)
        return false;
    for (const char *part = path;;) {
        size_t size_bytes = strcspn(part, "/");
        if (!part_is_safe(part, size_bytes))
            return false;
        if (part[size_bytes] == '\0')
            return true;
        part += size_bytes + 1;
    }
}
