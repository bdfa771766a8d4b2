/* mirror_hash.c - see mirror_hash.h. Runs on the scanner's threads. */
#include "mirror_hash.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LFS_BYTES     (10u << 20)
#define BLOCK_BYTES   (256u << 10)
#define HASH_ATTEMPTS 3

bool mirror_is_lfs(const char *path, uint64_t size_bytes)
{
    static const char *const endings[] = {
        ".safetensors", ".bin",   ".gguf", ".onnx",   ".h5",  ".msgpack", ".pt",
        ".pth",         ".pkl",   ".ckpt", ".tflite", ".npz", ".npy",     ".ot",
        ".parquet",     ".arrow", ".zip",  ".gz",     ".tar", ".mlmodel",
    };
    if (size_bytes > LFS_BYTES)
        return true;
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (length > n && strcasecmp(path + length - n, endings[i]) == 0)
            return true;
    }
    return false;
}

size_t mirror_pointer_text(const char *sha256, uint64_t size_bytes, char ret[MIRROR_POINTER_BYTES])
{
    int length = snprintf(ret, MIRROR_POINTER_BYTES,
                          "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %llu\n",
                          sha256, (unsigned long long)size_bytes);
    return (size_t)length;
}

struct mirror_stamp mirror_stamp_of(const struct stat *info)
{
#ifdef __APPLE__
    const struct timespec *modified = &info->st_mtimespec, *changed = &info->st_ctimespec;
#else
    const struct timespec *modified = &info->st_mtim, *changed = &info->st_ctim;
#endif
    return (struct mirror_stamp){
        .size_bytes = (uint64_t)info->st_size,
        .device = (uint64_t)info->st_dev,
        .inode = (uint64_t)info->st_ino,
        .modified_ns = (int64_t)modified->tv_sec * 1000000000 + modified->tv_nsec,
        .changed_ns = (int64_t)changed->tv_sec * 1000000000 + changed->tv_nsec,
    };
}

bool mirror_stamp_equal(const struct mirror_stamp *a, const struct mirror_stamp *b)
{
    return a->size_bytes == b->size_bytes && a->device == b->device && a->inode == b->inode &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

model_status mirror_hasher_init(struct mirror_hasher *hasher, const atomic_bool *stop,
                                struct model_error *err)
{
    *hasher = (struct mirror_hasher){.stop = stop, .block = malloc(BLOCK_BYTES)};
    return hasher->block != NULL ? MODEL_OK : error_no_memory(err, "reading files");
}

void mirror_hasher_finish(struct mirror_hasher *hasher)
{
    free(hasher->block);
    hasher->block = NULL;
}

static int64_t wall_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

model_status mirror_name_blob(const void *data, size_t size_bytes, char ret_hex[SHA1_HEX_BYTES],
                              struct model_error *err)
{
    struct digest *digest = NULL;
    model_status status = digest_create_git_blob(size_bytes, &digest, err);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, data, size_bytes);
    digest_finish_hex(digest, ret_hex);
    return MODEL_OK;
}

static model_status update_from(struct mirror_hasher *hasher, int fd, const char *path,
                                struct digest *digest, struct model_error *err)
{
    for (;;) {
        if (hasher->stop != NULL && atomic_load(hasher->stop))
            return error_set(err, MODEL_CANCELLED, "the mirror is being closed");
        ssize_t n = read(fd, hasher->block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return MODEL_OK;
        digest_update(digest, hasher->block, (size_t)n);
        hasher->hashed_bytes += (uint64_t)n;
    }
}

/* Digest of an open file, stamped before and after. */
static model_status hash_open(struct mirror_hasher *hasher, int fd, struct mirror_file *file,
                              struct model_error *err)
{
    struct stat info;
    file->hashed_ns = wall_clock_ns();
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return error_set(err, MODEL_BUSY, "%s changes while it is read", file->path);
    file->stamp = mirror_stamp_of(&info);
    file->is_lfs = mirror_is_lfs(file->path, file->stamp.size_bytes);
    struct digest *digest = NULL;
    model_status status = file->is_lfs
                              ? digest_create_sha256(&digest, err)
                              : digest_create_git_blob(file->stamp.size_bytes, &digest, err);
    if (status == MODEL_OK)
        status = update_from(hasher, fd, file->path, digest, err);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, file->etag);
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "cannot stat %s", file->path);
    struct mirror_stamp after = mirror_stamp_of(&info);
    if (!mirror_stamp_equal(&after, &file->stamp))
        return error_set(err, MODEL_BUSY, "%s changes while it is read", file->path);
    return MODEL_OK;
}

static model_status name_blob(struct mirror_file *file, struct model_error *err)
{
    if (!file->is_lfs) {
        memcpy(file->blob_id, file->etag, SHA1_HEX_BYTES);
        file->pointer_bytes = 0;
        return MODEL_OK;
    }
    char pointer[MIRROR_POINTER_BYTES];
    file->pointer_bytes = mirror_pointer_text(file->etag, file->stamp.size_bytes, pointer);
    return mirror_name_blob(pointer, file->pointer_bytes, file->blob_id, err);
}

model_status mirror_hash_file(struct mirror_hasher *hasher, const char *real_path,
                              struct mirror_file *file, struct model_error *err)
{
    model_status status = MODEL_BUSY;
    for (int attempt = 0; status == MODEL_BUSY && attempt < HASH_ATTEMPTS; attempt++) {
        int fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 && (errno == ENOENT || errno == ELOOP))
            return error_set(err, MODEL_BUSY, "%s changes while it is read", file->path);
        if (fd < 0 && (errno == EACCES || errno == EPERM))
            return error_set(err, MODELHOST_UNAUTHORIZED, "it may not be read");
        if (fd < 0)
            return error_set_errno(err, errno, "cannot open %s", real_path);
        status = hash_open(hasher, fd, file, err);
        (void)close(fd);
    }
    hasher->n_hashed++;
    return status == MODEL_OK ? name_blob(file, err) : status;
}
