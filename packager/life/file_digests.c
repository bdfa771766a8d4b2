/* file_digests.c - see file_digests.h. */
#include "file_digests.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (64 << 10)

struct reading {
    struct digest *sha256, *sha1, *git_blob; /* NULL: not wanted */
    uint64_t read_bytes;
};

static model_status start(struct reading *reading, unsigned wanted, uint64_t size_bytes,
                          struct model_error *err)
{
    model_status status = MODEL_OK;
    if ((wanted & FILE_SHA256) != 0)
        status = digest_create_sha256(&reading->sha256, err);
    if (status == MODEL_OK && (wanted & FILE_SHA1) != 0)
        status = digest_create_sha1(&reading->sha1, err);
    if (status == MODEL_OK && (wanted & FILE_GIT_BLOB) != 0)
        status = digest_create_git_blob(size_bytes, &reading->git_blob, err);
    return status;
}

static void update(struct digest *digest, const void *data, size_t size_bytes)
{
    if (digest != NULL)
        digest_update(digest, data, size_bytes);
}

static void finish(struct digest *digest, char *ret_hex)
{
    ret_hex[0] = '\0';
    if (digest != NULL)
        digest_finish_hex(digest, ret_hex);
}

static model_status read_all(struct reading *reading, int fd, const char *path,
                             struct model_error *err)
{
    char block[BLOCK_BYTES];
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %.400s", path);
        if (n == 0)
            return MODEL_OK;
        update(reading->sha256, block, (size_t)n);
        update(reading->sha1, block, (size_t)n);
        update(reading->git_blob, block, (size_t)n);
        reading->read_bytes += (uint64_t)n;
    }
}

static void take(struct reading *reading, struct file_digests *ret)
{
    ret->size_bytes = reading->read_bytes;
    finish(reading->sha256, ret->sha256);
    finish(reading->sha1, ret->sha1);
    finish(reading->git_blob, ret->git_blob);
}

static void drop(struct reading *reading)
{
    digest_destroy(reading->sha256);
    digest_destroy(reading->sha1);
    digest_destroy(reading->git_blob);
}

model_status file_digests_of_entry(const struct archive *archive, const struct archive_entry *entry,
                                   unsigned wanted, struct file_digests *ret,
                                   struct model_error *err)
{
    struct reading reading = {.read_bytes = entry->size_bytes};
    struct file_map map = {.fd = -1};
    model_status status = archive_map_lazily(archive, entry, &map, err);
    if (status != MODEL_OK)
        return status;
    status = start(&reading, wanted, entry->size_bytes, err);
    if (status == MODEL_OK) {
        update(reading.sha256, map.data, map.size_bytes);
        update(reading.sha1, map.data, map.size_bytes);
        update(reading.git_blob, map.data, map.size_bytes);
        take(&reading, ret);
    } else {
        drop(&reading);
    }
    file_map_close(&map);
    return status;
}

model_status file_digests_read(const char *path, unsigned wanted, struct file_digests *ret,
                               struct model_error *err)
{
    struct reading reading = {0};
    struct stat info;
    model_status status = MODEL_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %.400s", path);
    if (fstat(fd, &info) != 0)
        status = error_set_errno(err, errno, "cannot stat %.400s", path);
    else if (!S_ISREG(info.st_mode))
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%.400s is not a regular file", path);
    else
        status = start(&reading, wanted, (uint64_t)info.st_size, err);
    if (status == MODEL_OK)
        status = read_all(&reading, fd, path, err);
    if (status == MODEL_OK && reading.read_bytes != (uint64_t)info.st_size)
        status = error_set(err, MODEL_IO, "%.400s changes while it is read; try again", path);
    (void)close(fd);
    if (status != MODEL_OK) {
        drop(&reading);
        return status;
    }
    take(&reading, ret);
    return MODEL_OK;
}
