/* download_reuse.c - what of a download the store really has; see download_reuse() in download.h. A blob
 * that is about to become part of a new package is hashed, since its name says what it should be, not what
 * a disk or a hand made of it. The hub names small files by git's digest only: those are looked for among
 * the blobs of their size. Only reads the store. One download belongs to one thread. */
#include "download.h"
#include "download_cache.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES (64 << 10)

/* ---- git's digest of a blob */

static bool has_git_digest(const char *path, uint64_t size_bytes, const char *wanted)
{
    char hex[SHA1_HEX_BYTES] = "", block[BLOCK_BYTES];
    struct digest *digest = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || digest_create_git_blob(size_bytes, &digest, NULL) != MODEL_OK) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            digest_update(digest, block, (size_t)n);
    (void)close(fd);
    digest_finish_hex(digest, hex);
    return n == 0 && strcmp(hex, wanted) == 0;
}

/* Finds the content of a file of which only git's digest is known, among the blobs of its size. */
static void find_content(const struct store *store, const struct store_blobs *blobs,
                         struct plan_file *planned)
{
    uint64_t size_bytes = planned->file->size_bytes;
    size_t low = 0, high = blobs->n_blobs;
    while (low < high) { /* the first of that size */
        size_t middle = low + (high - low) / 2;
        if (blobs->blobs[middle].size_bytes < size_bytes)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < blobs->n_blobs && blobs->blobs[i].size_bytes == size_bytes; i++) {
        const char *sha256 = blobs->blobs[i].sha256;
        char *path = store_blob_path(store, sha256);
        bool found = path != NULL && has_git_digest(path, size_bytes, planned->file->digest.hex) &&
                     store_blob_is_good(store, sha256, size_bytes);
        free(path);
        if (!found)
            continue;
        memcpy(planned->sha256, sha256, sizeof planned->sha256);
        planned->in_store = true;
        return;
    }
}

/* ---- public */

static void check_blob(const struct download *download, struct plan_file *planned)
{
    if (!planned->in_store ||
        store_blob_is_good(download->store, planned->sha256, planned->file->size_bytes))
        return;
    planned->in_store = false;
    log_write(&download->options->hub.log, MODEL_LOG_WARN,
              "'%.200s' is damaged in the store: fetching it again", planned->file->path);
}

model_status download_reuse(struct download *download, struct model_error *err)
{
    struct download_plan *plan = &download->plan;
    struct store_blobs blobs = {0};
    if (download->present != NULL || download->store == NULL || download->options->force)
        return MODEL_OK;
    model_status status = store_list_blobs(download->store, &blobs, err);
    plan->fetch_bytes = 0;
    for (size_t i = 0; i < plan->n_files && status == MODEL_OK; i++) {
        struct plan_file *planned = &plan->files[i];
        check_blob(download, planned);
        if (!planned->in_store && planned->file->digest.kind == HUB_DIGEST_GIT_BLOB)
            find_content(download->store, &blobs, planned);
        status = download_take_cached(download, planned, err);
        plan->fetch_bytes += planned->in_store ? 0 : planned->file->size_bytes;
    }
    free(blobs.blobs);
    return status;
}

bool download_look_up(const struct store *store, struct plan_file *planned)
{
    struct store_blobs blobs = {0};
    if (planned->file->digest.kind == HUB_DIGEST_SHA256) {
        planned->in_store =
            store_blob_is_good(store, planned->file->digest.hex, planned->file->size_bytes) != 0;
    } else if (planned->file->digest.kind == HUB_DIGEST_GIT_BLOB &&
               store_list_blobs(store, &blobs, NULL) == MODEL_OK) {
        find_content(store, &blobs, planned);
        free(blobs.blobs);
    }
    return planned->in_store;
}
