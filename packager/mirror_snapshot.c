/* mirror_snapshot.c - see mirror_snapshot.h. Runs on the scanner's threads. */
#include "mirror_snapshot.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LFS_BYTES        (10u << 20)
#define MAX_DEPTH        16
#define BLOCK_BYTES      (256u << 10)
#define HASH_ATTEMPTS    3
#define SETTLED_AFTER_NS 50000000 /* well over a tick of the clock that stamps files */

struct scan {
    const char *root;
    const char *folder;
    const struct mirror_snapshot *previous;
    const atomic_bool *stop;
    const struct log_sink *log;
    struct mirror_snapshot *snapshot;
    size_t capacity;
    unsigned char *block;
    size_t n_hashed;
    uint64_t hashed_bytes;
};

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

static int64_t wall_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- digests */

static model_status digest_blob(const void *data, size_t size_bytes, char ret_hex[SHA1_HEX_BYTES],
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

static model_status update_from(struct scan *scan, int fd, const char *path, struct digest *digest,
                                struct model_error *err)
{
    for (;;) {
        if (scan->stop != NULL && atomic_load(scan->stop))
            return error_set(err, MODEL_CANCELLED, "the mirror is being closed");
        ssize_t n = read(fd, scan->block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return MODEL_OK;
        digest_update(digest, scan->block, (size_t)n);
        scan->hashed_bytes += (uint64_t)n;
    }
}

/* Digest of an open file, stamped before and after. */
static model_status hash_open(struct scan *scan, int fd, struct mirror_file *file,
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
        status = update_from(scan, fd, file->path, digest, err);
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
    return digest_blob(pointer, file->pointer_bytes, file->blob_id, err);
}

static model_status hash_file(struct scan *scan, const char *real_path, struct mirror_file *file,
                              struct model_error *err)
{
    model_status status = MODEL_BUSY;
    for (int attempt = 0; status == MODEL_BUSY && attempt < HASH_ATTEMPTS; attempt++) {
        int fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 && (errno == ENOENT || errno == ELOOP))
            return error_set(err, MODEL_BUSY, "%s changes while it is read", file->path);
        if (fd < 0)
            return error_set_errno(err, errno, "cannot open %s", real_path);
        status = hash_open(scan, fd, file, err);
        (void)close(fd);
    }
    scan->n_hashed++;
    return status == MODEL_OK ? name_blob(file, err) : status;
}

/* Whether the digests of the last scan still hold. A file that changed just before it was hashed may
 * have changed again within one tick of the clock: not trusted. */
static bool reuse(const struct scan *scan, const struct stat *info, struct mirror_file *file)
{
    const struct mirror_file *old =
        scan->previous != NULL ? mirror_snapshot_find(scan->previous, file->path) : NULL;
    struct mirror_stamp stamp = mirror_stamp_of(info);
    if (old == NULL || !mirror_stamp_equal(&old->stamp, &stamp) ||
        old->hashed_ns - old->stamp.changed_ns < SETTLED_AFTER_NS)
        return false;
    char *path = file->path;
    *file = *old;
    file->path = path;
    return true;
}

/* ---- the folder */

static bool lies_in(const char *root, const char *path)
{
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && (path[length] == '/' || root[length - 1] == '/');
}

static model_status append_file(struct scan *scan, const char *real_path, const char *name,
                                const struct stat *info, struct model_error *err)
{
    struct mirror_snapshot *snapshot = scan->snapshot;
    if (snapshot->n_files == MIRROR_MAX_FILES)
        return error_set(err, MODEL_UNSUPPORTED, "%s: more than %d files", scan->folder,
                         MIRROR_MAX_FILES);
    if (snapshot->n_files == scan->capacity) {
        size_t capacity = scan->capacity > 0 ? scan->capacity * 2 : 16;
        struct mirror_file *files = realloc(snapshot->files, capacity * sizeof *files);
        if (files == NULL)
            return error_no_memory(err, "a list of files");
        snapshot->files = files;
        scan->capacity = capacity;
    }
    struct mirror_file file = {.path = strdup(name)};
    if (file.path == NULL)
        return error_no_memory(err, "a list of files");
    model_status status =
        reuse(scan, info, &file) ? MODEL_OK : hash_file(scan, real_path, &file, err);
    if (status != MODEL_OK) {
        free(file.path);
        return status;
    }
    snapshot->files[snapshot->n_files++] = file;
    return MODEL_OK;
}

/* Said once, not at each scan. */
static void leave_out(const struct scan *scan, const char *path, const char *why)
{
    if (scan->previous == NULL)
        log_write(scan->log, MODEL_LOG_WARN, "%s is not served: %s", path, why);
}

/* A link is served if it leads to a regular file inside root. */
static model_status take_link(struct scan *scan, const char *path, const char *name,
                              struct model_error *err)
{
    struct stat info;
    char *real = realpath(path, NULL);
    if (real == NULL || !lies_in(scan->root, real) || stat(real, &info) != 0 ||
        !S_ISREG(info.st_mode)) {
        leave_out(scan, path, "a symbolic link that leads to no file inside the served folder");
        free(real);
        return MODEL_OK;
    }
    model_status status = append_file(scan, real, name, &info, err);
    free(real);
    return status;
}

static model_status walk(struct scan *scan, const char *relative, unsigned depth,
                         struct model_error *err);

static model_status take_name(struct scan *scan, const char *relative, const char *entry,
                              unsigned depth, struct model_error *err)
{
    if (entry[0] == '.')
        return MODEL_OK;
    char *name = relative[0] != '\0' ? path_join(relative, entry) : strdup(entry);
    char *path = name != NULL ? path_join(scan->folder, name) : NULL;
    struct stat info;
    model_status status = MODEL_OK;
    if (path == NULL)
        status = error_no_memory(err, "a path");
    else if (!path_is_safe(name))
        leave_out(scan, path, "such a name is not portable");
    else if (lstat(path, &info) != 0)
        status = errno == ENOENT ? MODEL_OK : error_set_errno(err, errno, "cannot stat %s", path);
    else if (S_ISLNK(info.st_mode))
        status = take_link(scan, path, name, err);
    else if (S_ISDIR(info.st_mode))
        status = walk(scan, name, depth + 1, err);
    else if (S_ISREG(info.st_mode))
        status = append_file(scan, path, name, &info, err);
    free(path);
    free(name);
    return status;
}

static model_status walk(struct scan *scan, const char *relative, unsigned depth,
                         struct model_error *err)
{
    if (depth > MAX_DEPTH)
        return error_set(err, MODEL_UNSUPPORTED, "%s/%s: more than %d folders deep", scan->folder,
                         relative, MAX_DEPTH);
    char *path = path_join(scan->folder, relative);
    struct dir_list list = {0};
    model_status status =
        path != NULL ? dir_read(path, &list, err) : error_no_memory(err, "a path");
    free(path);
    for (size_t i = 0; status == MODEL_OK && i < list.n_names; i++)
        status = take_name(scan, relative, list.names[i], depth, err);
    dir_list_finish(&list);
    return status;
}

/* ---- the whole */

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct mirror_file *)a)->path, ((const struct mirror_file *)b)->path);
}

/* Sorts, sums up, and names the content: SHA-1 over the digests and paths. */
static model_status seal(struct mirror_snapshot *snapshot, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(SIZE_MAX / 2);
    model_status status = MODEL_OK;
    if (snapshot->n_files > 1)
        qsort(snapshot->files, snapshot->n_files, sizeof *snapshot->files, compare_files);
    for (size_t i = 0; status == MODEL_OK && i < snapshot->n_files; i++) {
        const struct mirror_file *file = &snapshot->files[i];
        snapshot->total_bytes += file->stamp.size_bytes;
        if (file->stamp.modified_ns > snapshot->modified_ns)
            snapshot->modified_ns = file->stamp.modified_ns;
        status = buffer_printf(&text, "%s %s\n", file->etag, file->path);
    }
    if (status == MODEL_OK)
        status = digest_blob(text.data, text.size, snapshot->commit, err);
    else
        status = error_no_memory(err, "a commit");
    buffer_finish(&text);
    return status;
}

model_status mirror_snapshot_create(const char *root, const char *folder,
                                    const struct mirror_snapshot *previous, const atomic_bool *stop,
                                    const struct log_sink *log, struct mirror_snapshot **ret,
                                    struct model_error *err)
{
    struct scan scan = {root, folder, previous, stop, log, .block = malloc(BLOCK_BYTES)};
    scan.snapshot = calloc(1, sizeof *scan.snapshot);
    model_status status;
    if (scan.block == NULL || scan.snapshot == NULL)
        status = error_no_memory(err, "a list of files");
    else
        status = walk(&scan, "", 0, err);
    if (status == MODEL_OK)
        status = seal(scan.snapshot, err);
    free(scan.block);
    if (status != MODEL_OK) {
        mirror_snapshot_destroy(scan.snapshot);
        return status;
    }
    if (scan.n_hashed > 0)
        log_write(log, MODEL_LOG_INFO, "%s: hashed %zu of %zu files (%.1f MB)", folder,
                  scan.n_hashed, scan.snapshot->n_files, (double)scan.hashed_bytes / 1e6);
    *ret = scan.snapshot;
    return MODEL_OK;
}

void mirror_snapshot_destroy(struct mirror_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < snapshot->n_files; i++)
        free(snapshot->files[i].path);
    free(snapshot->files);
    free(snapshot);
}

const struct mirror_file *mirror_snapshot_find(const struct mirror_snapshot *snapshot,
                                               const char *path)
{
    struct mirror_file key = {.path = (char *)(uintptr_t)path};
    return snapshot->n_files > 0
               ? bsearch(&key, snapshot->files, snapshot->n_files, sizeof key, compare_files)
               : NULL;
}

/* The first file whose path is not before prefix followed by the byte. */
static size_t lower_bound(const struct mirror_snapshot *snapshot, const char *prefix, char byte)
{
    size_t length = strlen(prefix), low = 0, high = snapshot->n_files;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *path = snapshot->files[middle].path;
        int order = strncmp(path, prefix, length);
        if (order == 0)
            order = (unsigned char)path[length] < (unsigned char)byte ? -1 : 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mirror_snapshot_below(const struct mirror_snapshot *snapshot, const char *folder,
                           size_t *ret_first, size_t *ret_last)
{
    if (folder[0] == '\0') {
        *ret_first = 0;
        *ret_last = snapshot->n_files;
        return;
    }
    *ret_first = lower_bound(snapshot, folder, '/');
    *ret_last = lower_bound(snapshot, folder, '/' + 1);
}
