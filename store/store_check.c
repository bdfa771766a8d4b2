/* store_check.c - whether what lies in the store is still what its digest says: blobs before they are
 * linked, packages before they are called complete; see store.h. A blob is hashed once for an open store,
 * and again when its file has changed. A package has a stamp beside it, <store>/stamps/<key>/<digest>,
 * over the size, time of writing and inode of each of its files, as they were when the bytes were last
 * known to be right: while it fits, nothing is read. Any thread, any process. */
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_STAMP_BYTES 200

/* A blob that was hashed, as its file was then. */
struct store_checked {
    char sha256[SHA256_HEX_BYTES];
    struct timespec written;
    off_t size_bytes;
    dev_t device;
    ino_t inode;
};

#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

static struct store_checked describe(const char *sha256, const struct stat *info)
{
    struct store_checked checked = {.written = info->st_mtim,
                                    .size_bytes = info->st_size,
                                    .device = info->st_dev,
                                    .inode = info->st_ino};
    memcpy(checked.sha256, sha256, sizeof checked.sha256);
    return checked;
}

static bool is_same_file(const struct store_checked *a, const struct store_checked *b)
{
    return a->written.tv_sec == b->written.tv_sec && a->written.tv_nsec == b->written.tv_nsec &&
           a->size_bytes == b->size_bytes && a->device == b->device && a->inode == b->inode;
}

/* Where the digest stands among the checked ones, which are ordered, or would stand. */
static size_t position_of(const struct store_memory *memory, const char *sha256, bool *ret_found)
{
    size_t low = 0, high = memory->n_checked;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(memory->checked[middle].sha256, sha256);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool remembers(struct store_memory *memory, const struct store_checked *blob)
{
    bool found = false;
    (void)pthread_mutex_lock(&memory->lock);
    size_t at = position_of(memory, blob->sha256, &found);
    found = found && is_same_file(&memory->checked[at], blob);
    (void)pthread_mutex_unlock(&memory->lock);
    return found;
}

/* Without memory it is hashed again the next time. */
static void remember(struct store_memory *memory, const struct store_checked *blob)
{
    bool found = false;
    (void)pthread_mutex_lock(&memory->lock);
    size_t at = position_of(memory, blob->sha256, &found);
    if (!found && memory->n_checked == memory->checked_capacity) {
        size_t larger = memory->checked_capacity > 0 ? memory->checked_capacity * 2 : 16;
        void *room = realloc(memory->checked, larger * sizeof *memory->checked);
        if (room != NULL) {
            memory->checked = room;
            memory->checked_capacity = larger;
        }
    }
    if (!found && memory->n_checked < memory->checked_capacity) {
        memmove(&memory->checked[at + 1], &memory->checked[at],
                (memory->n_checked - at) * sizeof *memory->checked);
        memory->n_checked++;
        found = true;
    }
    if (found)
        memory->checked[at] = *blob;
    (void)pthread_mutex_unlock(&memory->lock);
}

/* ---- blobs */

bool store_file_has_digest(const char *path, const char *sha256)
{
    char hex[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    return digest_file_sha256(path, hex, &size_bytes, NULL) == MODEL_OK && strcmp(hex, sha256) == 0;
}

void store_note_good_blob(const struct store *store, const char *blob, const char *sha256)
{
    struct stat info;
    if (lstat(blob, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    struct store_checked now = describe(sha256, &info);
    remember(store->memory, &now);
}

int store_blob_is_good(const struct store *store, const char *sha256, uint64_t size_bytes)
{
    char *path = store_blob_path(store, sha256);
    struct stat info;
    int good = path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
               (uint64_t)info.st_size == size_bytes;
    if (good) {
        struct store_checked now = describe(sha256, &info);
        if (!remembers(store->memory, &now)) {
            good = store_file_has_digest(path, sha256);
            if (good)
                remember(store->memory, &now);
        }
    }
    free(path);
    return good;
}

/* ---- stamps of packages */

static char *stamp_path(const struct store *store, const char *dir)
{
    const char *target = store_target_of(store, dir);
    return target != NULL ? text_format("%s/stamps/%s", store->dir, target) : NULL;
}

/* "stamps/<key>"; to be freed. */
static char *stamp_folder(const char *target)
{
    return text_format("stamps/%.*s", (int)strcspn(target, "/"), target);
}

/* SHA-256 over what stat() says of each file; false when one is not there. */
static bool make_stamp(const char *dir, const struct manifest *manifest,
                       char ret_hex[SHA256_HEX_BYTES])
{
    struct digest *digest = NULL;
    bool good = digest_create_sha256(&digest, NULL) == MODEL_OK;
    for (size_t i = 0; i < manifest->n_files && good; i++) {
        struct stat info;
        char *path = path_join(dir, manifest->files[i].path);
        good = path != NULL && stat(path, &info) == 0 && S_ISREG(info.st_mode);
        free(path);
        char *line = good ? text_format("%s %lld %lld.%09ld %llu\n", manifest->files[i].path,
                                        (long long)info.st_size, (long long)info.st_mtim.tv_sec,
                                        (long)info.st_mtim.tv_nsec, (unsigned long long)info.st_ino)
                          : NULL;
        good = line != NULL;
        if (good)
            digest_update(digest, line, strlen(line));
        free(line);
    }
    if (good)
        digest_finish_hex(digest, ret_hex);
    else
        digest_destroy(digest);
    return good;
}

void store_stamp_write(const struct store *store, const char *dir, const struct manifest *manifest)
{
    char hex[SHA256_HEX_BYTES + 1];
    const char *target = store_target_of(store, dir);
    char *folder = target != NULL ? stamp_folder(target) : NULL;
    if (folder != NULL && make_stamp(dir, manifest, hex)) {
        (void)memcpy(hex + SHA256_HEX_BYTES - 1, "\n", 2);
        (void)store_folder_write(store, folder, path_base(target), hex, SHA256_HEX_BYTES, NULL);
    }
    free(folder);
}

void store_stamp_remove(const struct store *store, const char *target)
{
    char *folder = stamp_folder(target);
    if (folder != NULL) {
        (void)store_folder_unlink(store, folder, path_base(target));
        (void)store_folder_rmdir(store, "stamps", path_base(folder)); /* when it is empty now */
    }
    free(folder);
}

static bool stamp_fits(const struct store *store, const char *dir, const struct manifest *manifest)
{
    char hex[SHA256_HEX_BYTES];
    char *path = stamp_path(store, dir);
    struct buffer text = BUFFER_INIT(MAX_STAMP_BYTES);
    bool fits = path != NULL && file_read(path, MAX_STAMP_BYTES, &text, NULL) == MODEL_OK &&
                text.size == SHA256_HEX_BYTES && make_stamp(dir, manifest, hex) &&
                memcmp(text.data, hex, SHA256_HEX_BYTES - 1) == 0;
    buffer_finish(&text);
    free(path);
    return fits;
}

model_status store_check_package(const struct store *store, const char *dir,
                                 const struct manifest *manifest, struct model_error *err)
{
    if (!manifest_names_folder(manifest, dir))
        return error_set(err, MODEL_CORRUPT, "metadata.json of the package %.300s is damaged", dir);
    if (stamp_fits(store, dir, manifest))
        return MODEL_OK;
    for (size_t i = 0; i < manifest->n_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        char *path = path_join(dir, file->path);
        if (path == NULL)
            return error_no_memory(err, "a path");
        bool good = store_file_has_digest(path, file->sha256);
        free(path);
        if (!good)
            return error_set(err, MODEL_CORRUPT, "'%.300s' of the package %.300s is damaged",
                             file->path, dir);
    }
    store_stamp_write(store, dir, manifest);
    return MODEL_OK;
}
