/* partial.c - see partial.h. */
#include "partial.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BLOCK_BYTES (1 << 17)

/* ---- opening */

static int open_in(const char *dir, const char *name, int flags)
{
    char *path = path_join(dir, name);
    int fd = path != NULL ? open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    int errnum = path != NULL ? errno : ENOMEM;
    free(path);
    errno = errnum;
    return fd;
}

static bool copy_all(int from, int to)
{
    char *block = malloc(COPY_BLOCK_BYTES);
    ssize_t n = block != NULL ? 1 : -1;
    while (n > 0) {
        n = read(from, block, COPY_BLOCK_BYTES);
        for (ssize_t at = 0; at < n;) {
            ssize_t written = write(to, block + at, (size_t)(n - at));
            if (written <= 0) {
                n = -1;
                break;
            }
            at += written;
        }
    }
    free(block);
    return n == 0;
}

/* Gives the data another inode, so that whoever has the old one open writes to nobody's file. */
static model_status copy_data(const char *dir, struct model_error *err)
{
    char *data = path_join(dir, "data"), *copy = path_join(dir, "copy");
    int from = open_in(dir, "data", O_RDONLY);
    int to = open_in(dir, "copy", O_WRONLY | O_CREAT | O_TRUNC);
    model_status status = MODEL_OK;
    if (data == NULL || copy == NULL)
        status = error_no_memory(err, "a path");
    else if (from < 0 || to < 0 || !copy_all(from, to) || fsync(to) != 0 || rename(copy, data) != 0)
        status = error_set_errno(err, errno, "cannot copy %s", data);
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    free(data);
    free(copy);
    return status;
}

/* The map in a file of the folder; false when it is not to be believed. */
static bool read_map(const char *dir, const char *name, uint64_t size_bytes, const char *boot,
                     struct range_map *ret)
{
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    char *path = path_join(dir, name);
    bool is_good = path != NULL && file_read(path, RANGE_MAP_MAX_BYTES, &text, NULL) == MODEL_OK &&
                   range_map_read(text.data != NULL ? text.data : "", text.size, size_bytes, boot,
                                  ret, NULL) == MODEL_OK;
    buffer_finish(&text);
    free(path);
    return is_good;
}

static model_status open_data(struct partial *partial, uint64_t size_bytes, bool *ret_is_whole,
                              struct model_error *err)
{
    struct stat info;
    partial->data_fd = open_in(partial->dir, "data", O_RDWR | O_CREAT);
    if (partial->data_fd < 0 || fstat(partial->data_fd, &info) != 0)
        return error_set_errno(err, errno, "cannot open %s/data", partial->dir);
    *ret_is_whole = S_ISREG(info.st_mode) && (uint64_t)info.st_size == size_bytes;
    if (!*ret_is_whole && ftruncate(partial->data_fd, (off_t)size_bytes) != 0)
        return error_set_errno(err, errno, "cannot make %s/data longer", partial->dir);
    return MODEL_OK;
}

/* Makes the live map anew, beside the old one until it is whole. -1: there is none. */
static int make_live(const char *dir, const struct range_map *map, const char *boot)
{
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    char *made = path_join(dir, "live.new"), *path = path_join(dir, "live");
    int fd = open_in(dir, "live.new", O_RDWR | O_CREAT | O_TRUNC);
    if (fd >= 0 &&
        (made == NULL || path == NULL || range_map_write(map, boot, &text, NULL) != MODEL_OK ||
         pwrite(fd, text.data, text.size, 0) != (ssize_t)text.size || rename(made, path) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    buffer_finish(&text);
    free(made);
    free(path);
    return fd;
}

model_status partial_open(struct partial *partial, char *dir, uint64_t size_bytes, const char *boot,
                          bool must_copy, struct range_map *ret_map, struct model_error *err)
{
    struct partial opened = {.dir = dir, .data_fd = -1, .live_fd = -1};
    struct range_map map = {0};
    bool is_whole = false;
    model_status status = must_copy ? copy_data(dir, NULL) : MODEL_OK;
    if (status != MODEL_OK) { /* what cannot be copied is fetched again */
        char *data = path_join(dir, "data");
        if (data != NULL)
            (void)unlink(data);
        free(data);
    }
    status = open_data(&opened, size_bytes, &is_whole, err);
    if (status == MODEL_OK && (!is_whole || (!read_map(dir, "live", size_bytes, boot, &map) &&
                                             !read_map(dir, "have", size_bytes, "", &map))))
        status = range_map_init(&map, size_bytes, err);
    if (status != MODEL_OK) {
        partial_close(&opened);
        return status;
    }
    if (boot[0] != '\0')
        opened.live_fd = make_live(dir, &map, boot);
    *partial = opened;
    *ret_map = map;
    return MODEL_OK;
}

void partial_close(struct partial *partial)
{
    if (partial->data_fd >= 0)
        (void)close(partial->data_fd);
    if (partial->live_fd >= 0)
        (void)close(partial->live_fd);
    partial->data_fd = partial->live_fd = -1;
}

/* ---- following */

void partial_note(const struct partial *partial, const struct range_map *map, uint64_t first,
                  uint64_t last)
{
    if (partial->live_fd < 0 || first >= last)
        return;
    size_t from = (size_t)(first / 8), to = (size_t)((last - 1) / 8) + 1;
    /* one that could not be written makes us fetch again what is there, nothing worse */
    (void)!pwrite(partial->live_fd, map->there + from, to - from,
                  (off_t)(RANGE_MAP_HEADER_BYTES + from));
}

static int sync_data(int fd)
{
#ifdef __linux__
    return fdatasync(fd);
#else
    return fsync(fd);
#endif
}

model_status partial_checkpoint(const struct partial *partial, const struct buffer *map,
                                struct model_error *err)
{
    if (sync_data(partial->data_fd) != 0)
        return error_set_errno(err, errno, "cannot sync %s/data", partial->dir);
    char *path = path_join(partial->dir, "have");
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = file_replace_atomic(path, map->data, map->size, err);
    free(path);
    return status;
}

void partial_restart(const struct partial *partial, const struct range_map *map)
{
    char *path = path_join(partial->dir, "have");
    if (path != NULL)
        (void)unlink(path);
    free(path);
    partial_note(partial, map, 0, map->n_grains);
}
