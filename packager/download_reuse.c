/* download_reuse.c - what of a download the store really has; see download_reuse() in download.h. A blob
 * that is about to become part of a new package is hashed, since its name says what it should be, not what
 * a disk or a hand made of it. The hub names small files by git's digest only: those are looked for among
 * the files of the model's other packages. Only reads the store. One download belongs to one thread. */
#include "download.h"
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

/* ---- the model's other packages */

struct manifests {
    struct manifest *items; /* (n_items) */
    size_t n_items;
};

static void finish_manifests(struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->n_items; i++)
        manifest_finish(&manifests->items[i]);
    free(manifests->items);
}

static model_status read_manifests(const struct download *download, struct manifests *ret,
                                   struct model_error *err)
{
    struct store_list list = {0};
    model_status status = store_list_packages(download->store, &list, err);
    if (status != MODEL_OK)
        return status;
    ret->items = calloc(list.n_entries + 1, sizeof *ret->items);
    if (ret->items == NULL)
        status = error_no_memory(err, "the download's plan");
    for (size_t i = 0; i < list.n_entries && status == MODEL_OK; i++)
        if (strcmp(list.entries[i].id, download->model.id) == 0 &&
            manifest_read(list.entries[i].dir, &ret->items[ret->n_items], NULL) == MODEL_OK)
            ret->n_items++;
    store_list_finish(&list);
    return status;
}

/* Finds the content of a file of which only git's digest is known. */
static void find_content(const struct store *store, const struct manifests *manifests,
                         struct plan_file *planned)
{
    for (size_t i = 0; i < manifests->n_items && !planned->in_store; i++) {
        const struct manifest_file *have =
            manifest_find(&manifests->items[i], planned->package_path);
        if (have == NULL || have->source == NULL || have->size_bytes != planned->file->size_bytes ||
            !store_blob_is_good(store, have->sha256, have->size_bytes))
            continue;
        char *blob = store_blob_path(store, have->sha256);
        if (blob != NULL && has_git_digest(blob, have->size_bytes, planned->file->digest.hex)) {
            memcpy(planned->sha256, have->sha256, sizeof planned->sha256);
            planned->in_store = true;
        }
        free(blob);
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
    struct manifests manifests = {0};
    if (download->present != NULL || download->store == NULL || download->options->force)
        return MODEL_OK;
    model_status status = read_manifests(download, &manifests, err);
    plan->fetch_bytes = 0;
    for (size_t i = 0; i < plan->n_files && status == MODEL_OK; i++) {
        struct plan_file *planned = &plan->files[i];
        check_blob(download, planned);
        if (!planned->in_store && planned->file->digest.kind == HUB_DIGEST_GIT_BLOB)
            find_content(download->store, &manifests, planned);
        plan->fetch_bytes += planned->in_store ? 0 : planned->file->size_bytes;
    }
    finish_manifests(&manifests);
    return status;
}
