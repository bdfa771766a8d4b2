/* store_blobs.c - the contents that the store keeps, each once under its SHA-256; see store.h. A blob
 * appears by one link or rename, complete and read-only. Any thread, any process. */
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

#define BLOB_MODE        0444
#define COPY_BLOCK_BYTES (1 << 17)

static bool is_sha256(const char *hex)
{
    return strlen(hex) == SHA256_HEX_BYTES - 1 &&
           strspn(hex, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

char *store_blob_path(const struct store *store, const char *sha256)
{
    if (!is_sha256(sha256))
        return NULL;
    return text_format("%s/blobs/sha256/%.2s/%s", store->dir, sha256, sha256);
}

char *store_blob_folder(const char *sha256)
{
    return is_sha256(sha256) ? text_format("blobs/sha256/%.2s", sha256) : NULL;
}

int store_has_blob(const struct store *store, const char *sha256, uint64_t size_bytes)
{
    char *path = store_blob_path(store, sha256);
    struct stat info;
    int has = path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
              (uint64_t)info.st_size == size_bytes;
    free(path);
    return has;
}

/* ---- adding */

/* Gives the file its blob's name. What is there already stays when it is good: packages may share its
 * inode. What is there and broken is replaced, in the packages too. */
static model_status place(const struct store *store, const char *file, const char *blob,
                          const char *sha256, struct model_error *err)
{
    struct stat damaged;
    if (chmod(file, BLOB_MODE) != 0)
        return error_set_errno(err, errno, "cannot make %s read-only", file);
    if (link(file, blob) == 0 || (errno == EEXIST && store_file_has_digest(blob, sha256)))
        return unlink(file) == 0 ? MODEL_OK : error_set_errno(err, errno, "cannot remove %s", file);
    /* A broken blob, or a disk without hard links. */
    bool is_broken = lstat(blob, &damaged) == 0 && S_ISREG(damaged.st_mode);
    if (rename(file, blob) != 0)
        return error_set_errno(err, errno, "cannot add blob %s", blob);
    if (is_broken)
        store_heal_packages(store, blob, sha256, &damaged);
    return MODEL_OK;
}

model_status store_add_blob(const struct store *store, const char *file, const char *sha256,
                            struct model_error *err)
{
    if (!is_sha256(sha256))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.80s' is no SHA-256", sha256);
    char *blob = store_blob_path(store, sha256);
    char *folder = text_format("%s/blobs/sha256/%.2s", store->dir, sha256);
    char *parent = path_join(store->dir, "blobs/sha256");
    model_status status = MODEL_OK;
    if (blob == NULL || folder == NULL || parent == NULL)
        status = error_no_memory(err, "a blob's path");
    else if (!path_is_dir(folder)) {
        status = store_folder_make(store, folder + strlen(store->dir) + 1, err);
        if (status == MODEL_OK)
            status = dir_sync(parent, err);
    } else {
        status = store_folder_check(store, folder + strlen(store->dir) + 1, err);
    }
    if (status == MODEL_OK)
        status = place(store, file, blob, sha256, err);
    if (status == MODEL_OK)
        status = dir_sync(folder, err);
    if (status == MODEL_OK)
        store_note_good_blob(store, blob, sha256);
    free(parent);
    free(folder);
    free(blob);
    return status;
}

/* ---- linking */

/* A new file of its own that shares the blob's blocks, where the disk can do that. */
static int reflink(const char *blob, const char *target)
{
#ifdef FICLONE
    int from = open(blob, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return errno;
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, BLOB_MODE);
    int errnum = to < 0 ? errno : 0;
    if (to >= 0 && ioctl(to, FICLONE, from) != 0) {
        errnum = errno;
        (void)unlink(target);
    }
    if (to >= 0)
        (void)close(to);
    (void)close(from);
    return errnum;
#else
    (void)blob;
    (void)target;
    return ENOTSUP;
#endif
}

static int copy_bytes(int from, int to)
{
    static const size_t block_bytes = COPY_BLOCK_BYTES;
    char *block = malloc(block_bytes);
    int errnum = block != NULL ? 0 : ENOMEM;
    while (errnum == 0) {
        ssize_t n = read(from, block, block_bytes);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            errnum = errno;
        for (ssize_t at = 0; at < n && errnum == 0;) {
            ssize_t written = write(to, block + at, (size_t)(n - at));
            if (written >= 0)
                at += written;
            else if (errno != EINTR)
                errnum = errno;
        }
    }
    free(block);
    return errnum == 0 && fsync(to) != 0 ? errno : errnum;
}

static int copy(const char *blob, const char *target)
{
    int from = open(blob, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return errno;
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, BLOB_MODE);
    int errnum = to < 0 ? errno : copy_bytes(from, to);
    if (to >= 0 && close(to) != 0 && errnum == 0)
        errnum = errno;
    if (to >= 0 && errnum != 0)
        (void)unlink(target);
    (void)close(from);
    return errnum;
}

model_status store_link_blob(const char *blob, const char *target, const char *relative,
                             unsigned methods, struct model_error *err)
{
    int errnum = ENOTSUP;
    if ((methods & STORE_LINK_REFLINK) != 0)
        errnum = reflink(blob, target);
    if (errnum != 0 && (methods & STORE_LINK_HARD) != 0)
        errnum = link(blob, target) == 0 ? 0 : errno;
    if (errnum != 0 && (methods & STORE_LINK_SYMBOLIC) != 0)
        errnum = symlink(relative, target) == 0 ? 0 : errno;
    if (errnum != 0 && (methods & STORE_LINK_COPY) != 0)
        errnum = copy(blob, target);
    return errnum == 0 ? MODEL_OK
                       : error_set_errno(err, errnum, "cannot link %s to blob %s", target, blob);
}

model_status store_share_file(const char *from, const char *to, int may_link,
                              struct model_error *err)
{
    unsigned methods = STORE_LINK_REFLINK | STORE_LINK_COPY | (may_link ? STORE_LINK_HARD : 0u);
    return store_link_blob(from, to, "", methods, err);
}
