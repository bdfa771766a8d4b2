/* mirror_snapshot.c - see mirror_snapshot.h. Runs on the scanner's threads. */
#include "mirror_snapshot.h"
#include "errors.h"
#include "files.h"
#include "mirror_hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH        16
#define SETTLED_AFTER_NS 50000000 /* well over a tick of the clock that stamps files */

struct scan {
    const char *root;
    const char *folder;
    const struct mirror_snapshot *previous;
    const struct log_sink *log;
    struct mirror_hasher hasher;
    struct mirror_snapshot *snapshot;
    size_t capacity;
};

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

/* Whether the last scan took the file, or anything below the folder. */
static bool was_served(const struct scan *scan, const char *name)
{
    size_t first, last;
    mirror_snapshot_below(scan->previous, name, &first, &last);
    return first < last || mirror_snapshot_find(scan->previous, name) != NULL;
}

/* One entry that cannot be served must not take the others with it. Said once, not at each scan. */
static void leave_out(const struct scan *scan, const char *name, const char *why)
{
    if (scan->previous == NULL || was_served(scan, name))
        log_write(scan->log, MODEL_LOG_WARN, "%s/%s is not served: %s", scan->folder, name, why);
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
    model_status status = reuse(scan, info, &file)
                              ? MODEL_OK
                              : mirror_hash_file(&scan->hasher, real_path, &file, err);
    if (status == MODELHOST_UNAUTHORIZED)
        leave_out(scan, name, "it may not be read");
    if (status != MODEL_OK) {
        free(file.path);
        return status == MODELHOST_UNAUTHORIZED ? MODEL_OK : status;
    }
    snapshot->files[snapshot->n_files++] = file;
    return MODEL_OK;
}

/* A link is served if it leads to a regular file inside root. */
static model_status take_link(struct scan *scan, const char *path, const char *name,
                              struct model_error *err)
{
    struct stat info;
    char *real = realpath(path, NULL);
    if (real == NULL || !lies_in(scan->root, real) || stat(real, &info) != 0 ||
        !S_ISREG(info.st_mode)) {
        leave_out(scan, name, "a symbolic link that leads to no file inside the served folder");
        free(real);
        return MODEL_OK;
    }
    model_status status = append_file(scan, real, name, &info, err);
    free(real);
    return status;
}

/* What an errno says about an entry: that it is gone, that it may not be read, or that something is
 * broken. Only the last ends the scan: a faulty disk must not look like a smaller model. */
static model_status skip_or_fail(const struct scan *scan, const char *name, int errnum,
                                 struct model_error *err)
{
    if (errnum == EACCES || errnum == EPERM)
        leave_out(scan, name, "it may not be read");
    else if (errnum == ENAMETOOLONG)
        leave_out(scan, name, "its path is too long");
    else if (errnum != ENOENT)
        return error_set_errno(err, errnum, "cannot read %s/%s", scan->folder, name);
    return MODEL_OK;
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
        leave_out(scan, name, "such a name is not portable");
    else if (lstat(path, &info) != 0)
        status = skip_or_fail(scan, name, errno, err);
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
    if (depth > MAX_DEPTH) {
        leave_out(scan, relative, "too many folders lie in each other");
        return MODEL_OK;
    }
    char *path = path_join(scan->folder, relative);
    struct dir_list list = {0};
    if (path == NULL)
        return error_no_memory(err, "a path");
    errno = 0;
    model_status status = dir_read(path, &list, err);
    int errnum = errno;
    free(path);
    if (status != MODEL_OK && status != MODEL_OUT_OF_MEMORY && depth > 0)
        return skip_or_fail(scan, relative, errnum, err);
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
        status = mirror_name_blob(text.data, text.size, snapshot->commit, err);
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
    struct scan scan = {root, folder, previous, log, .snapshot = calloc(1, sizeof *scan.snapshot)};
    model_status status = mirror_hasher_init(&scan.hasher, stop, err);
    if (status == MODEL_OK && scan.snapshot == NULL)
        status = error_no_memory(err, "a list of files");
    if (status == MODEL_OK)
        status = walk(&scan, "", 0, err);
    if (status == MODEL_OK)
        status = seal(scan.snapshot, err);
    mirror_hasher_finish(&scan.hasher);
    if (status != MODEL_OK) {
        mirror_snapshot_destroy(scan.snapshot);
        return status;
    }
    if (scan.hasher.n_hashed > 0)
        log_write(log, MODEL_LOG_INFO, "%s: hashed %zu of %zu files (%.1f MB)", folder,
                  scan.hasher.n_hashed, scan.snapshot->n_files,
                  (double)scan.hasher.hashed_bytes / 1e6);
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
