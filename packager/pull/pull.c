/* pull.c - see pull.h. The rules of hub.h hold: its client checks names, sizes and redirects, repeats
 * what is worth it, and shows the token to the endpoint only. */
#include "pull.h"
#include "errors.h"
#include "files.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FETCHES 2 /* of a file whose bytes are wrong */

static bool is_stopped(void *context)
{
    const atomic_bool *stop = context;
    return atomic_load(stop);
}

struct hub_config pull_hub_config(const struct pull *pull, const atomic_bool *stop)
{
    struct hub_config config = {.endpoint = pull->endpoint,
                                .endpoint_setting = "--upstream",
                                .token = pull->token,
                                .stall_timeout_ms = pull->stall_timeout_ms,
                                .cancelled = is_stopped,
                                .cancel_context = (void *)(uintptr_t)stop};
    if (pull->log != NULL)
        config.log = *pull->log;
    return config;
}

static model_status connect_to(const struct pull *pull, const atomic_bool *stop, struct hub **ret,
                               struct model_error *err)
{
    struct hub_config config = pull_hub_config(pull, stop);
    return hub_create(&config, ret, err);
}

/* ---- what there is */

static int compare_files(const void *a, const void *b)
{
    const struct hub_file *first = a, *second = b;
    return strcmp(first->path, second->path);
}

/* Files that the hub gives no digest for cannot be checked. */
static void drop_unchecked(const struct pull *pull, const char *id, struct hub_files *files)
{
    size_t n = 0;
    for (size_t i = 0; i < files->n_files; i++) {
        if (files->files[i].digest.kind != HUB_DIGEST_NONE) {
            files->files[n++] = files->files[i];
            continue;
        }
        log_write(pull->log, MODEL_LOG_WARN, "%s: '%s' is left out, the hub gives no digest for it",
                  id, files->files[i].path);
        free(files->files[i].path);
    }
    files->n_files = n;
}

static model_status ask(const struct pull *pull, const char *id, const char *revision,
                        const atomic_bool *stop, struct pull_record *ret, struct model_error *err)
{
    struct hub *hub = NULL;
    struct pull_record record = {.files = {0}};
    model_status status = connect_to(pull, stop, &hub, err);
    if (status == MODEL_OK)
        status = hub_find_model(hub, id, revision, &record.model, err);
    bool is_known =
        status == MODEL_OK &&
        pull_cache_read(pull->cache, record.model.id, record.model.commit, ret, NULL) == MODEL_OK;
    if (status == MODEL_OK && !is_known)
        status = hub_list_files(hub, &record.model, &record.files, err);
    hub_destroy(hub);
    if (status != MODEL_OK || is_known) {
        pull_record_finish(&record);
        return status;
    }
    drop_unchecked(pull, id, &record.files);
    *ret = record;
    return MODEL_OK;
}

static bool is_out_of_reach(model_status status)
{
    return status == MODELHOST_NETWORK || status == MODELHOST_RATE_LIMITED;
}

/* A package of the store as the repository that it was: without what was made here. All its files are
 * known by their SHA-256. */
static model_status take_package(const struct manifest *manifest, struct pull_record *ret,
                                 struct model_error *err)
{
    struct hub_files *files = &ret->files;
    (void)snprintf(ret->model.commit, sizeof ret->model.commit, "%.40s", manifest->revision);
    ret->model.id = strdup(manifest->id);
    files->files = calloc(manifest->n_files + 1, sizeof *files->files);
    if (ret->model.id == NULL || files->files == NULL)
        return error_no_memory(err, "a list of files");
    for (size_t i = 0; i < manifest->n_files; i++) {
        const struct manifest_file *from = &manifest->files[i];
        if (from->source == NULL)
            continue;
        struct hub_file *file = &files->files[files->n_files];
        file->path = strdup(from->source);
        file->size_bytes = from->size_bytes;
        file->digest = hub_digest_read(from->sha256);
        if (file->path == NULL)
            return error_no_memory(err, "a list of files");
        files->n_files++;
    }
    qsort(files->files, files->n_files, sizeof *files->files, compare_files);
    return MODEL_OK;
}

static model_status find_in_store(const struct pull *pull, const char *id, const char *revision,
                                  struct pull_record *ret, struct model_error *err)
{
    struct manifest manifest = {0};
    struct pull_record record = {.files = {0}};
    char *dir = NULL,
         *name = text_format("%s@%s", id, strcmp(revision, "HEAD") == 0 ? "main" : revision);
    model_status status =
        name != NULL ? store_find(pull->store, name, &dir, err) : error_no_memory(err, "a name");
    if (status == MODEL_OK)
        status = manifest_read(dir, &manifest, err);
    if (status == MODEL_OK)
        status = take_package(&manifest, &record, err);
    manifest_finish(&manifest);
    free(dir);
    free(name);
    if (status != MODEL_OK) {
        pull_record_finish(&record);
        return status;
    }
    *ret = record;
    return MODEL_OK;
}

/* What is kept here: of the hub, or as a package. */
static model_status find_kept(const struct pull *pull, const char *id, const char *revision,
                              struct pull_record *ret, struct model_error *err)
{
    model_status status = MODEL_NOT_FOUND;
    if (pull->cache != NULL)
        status = pull_cache_read(pull->cache, id, revision, ret, err);
    if (status != MODEL_OK && pull->store != NULL)
        status = find_in_store(pull, id, revision, ret, err);
    return status;
}

model_status pull_find(const struct pull *pull, const char *id, const char *revision,
                       const atomic_bool *stop, struct pull_record *ret, struct model_error *err)
{
    struct pull_record record;
    if (pull->endpoint == NULL)
        return find_kept(pull, id, revision, ret, err);
    if (hub_is_hex(revision, 40) &&
        pull_cache_read(pull->cache, id, revision, ret, NULL) == MODEL_OK)
        return MODEL_OK;
    model_status status = ask(pull, id, revision, stop, &record, err);
    if (is_out_of_reach(status) && find_kept(pull, id, revision, ret, NULL) == MODEL_OK) {
        log_write(pull->log, MODEL_LOG_WARN, "%s: %s; served as it was when last asked", id,
                  err->message);
        return MODEL_OK;
    }
    if (status != MODEL_OK)
        return status;
    status = pull_cache_write(pull->cache, id, revision, &record, err);
    if (status != MODEL_OK) {
        pull_record_finish(&record);
        return status;
    }
    *ret = record;
    return MODEL_OK;
}

/* ---- files */

/* The receiving end. */
struct landing {
    const struct hub_file *file;
    const char *dir; /* for errors */
    int fd;
    uint64_t n_bytes;
    struct digest *digest;
    _Atomic uint64_t *received_bytes;
};

static model_status restart(void *context, struct model_error *err)
{
    struct landing *landing = context;
    const struct hub_file *file = landing->file;
    digest_destroy(landing->digest);
    landing->digest = NULL;
    landing->n_bytes = 0;
    if (ftruncate(landing->fd, 0) != 0 || lseek(landing->fd, 0, SEEK_SET) != 0)
        return error_set_errno(err, errno, "cannot write into %.400s", landing->dir);
    return file->digest.kind == HUB_DIGEST_SHA256
               ? digest_create_sha256(&landing->digest, err)
               : digest_create_git_blob(file->size_bytes, &landing->digest, err);
}

static model_status receive(void *context, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    struct landing *landing = context;
    const char *at = data;
    if (size_bytes > landing->file->size_bytes - landing->n_bytes)
        return error_set(err, MODEL_CORRUPT, "'%s' is longer than its hub says",
                         landing->file->path);
    for (size_t left_bytes = size_bytes; left_bytes > 0;) {
        ssize_t n = write(landing->fd, at, left_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set_errno(err, errno, "cannot write into %.400s", landing->dir);
        at += n;
        left_bytes -= (size_t)n;
    }
    digest_update(landing->digest, data, size_bytes);
    landing->n_bytes += size_bytes;
    if (landing->received_bytes != NULL)
        atomic_store(landing->received_bytes, landing->n_bytes);
    return MODEL_OK;
}

static model_status check(struct landing *landing, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES] = "";
    const struct hub_file *file = landing->file;
    digest_finish_hex(landing->digest, hex);
    landing->digest = NULL;
    if (landing->n_bytes != file->size_bytes || strcmp(hex, file->digest.hex) != 0)
        return error_set(err, MODEL_CORRUPT,
                         "'%s' came with wrong bytes: %llu of %llu bytes, digest %s, want %s",
                         file->path, (unsigned long long)landing->n_bytes,
                         (unsigned long long)file->size_bytes, hex, file->digest.hex);
    return MODEL_OK;
}

static model_status fetch(const struct pull *pull, const struct hub_model *model,
                          const atomic_bool *stop, struct landing *landing, struct model_error *err)
{
    struct hub *hub = NULL;
    struct hub_receiver receiver = {restart, receive, landing};
    model_status status = connect_to(pull, stop, &hub, err);
    if (status != MODEL_OK)
        return status;
    status = MODEL_CORRUPT;
    for (int n = 0; n < MAX_FETCHES && status == MODEL_CORRUPT; n++) {
        status = hub_get_file(hub, model, landing->file->path, &receiver, NULL, err);
        if (status == MODEL_OK)
            status = check(landing, err);
    }
    hub_destroy(hub);
    digest_destroy(landing->digest);
    if (status == MODEL_OK && fsync(landing->fd) != 0)
        status = error_set_errno(err, errno, "cannot write into %.400s", landing->dir);
    return status;
}

char *pull_path(const struct pull *pull, const char *digest, uint64_t size_bytes)
{
    if (pull->cache != NULL && pull_cache_has_blob(pull->cache, digest, size_bytes)) {
        pull_cache_use(pull->cache, digest);
        return pull_cache_blob_path(pull->cache, digest);
    }
    if (pull->store != NULL && store_has_blob(pull->store, digest, size_bytes))
        return store_blob_path(pull->store, digest);
    return NULL;
}

model_status pull_fetch(const struct pull *pull, const struct hub_model *model,
                        const struct hub_file *file, const atomic_bool *stop,
                        _Atomic uint64_t *received_bytes, struct model_error *err)
{
    char *path = NULL;
    struct landing landing = {.file = file, .received_bytes = received_bytes};
    if (pull->endpoint == NULL)
        return error_set(err, MODEL_NOT_FOUND, "the store has lost '%s'", file->path);
    path = pull_path(pull, file->digest.hex, file->size_bytes);
    if (path != NULL) { /* it came, or moved into the store, while this one waited */
        free(path);
        return MODEL_OK;
    }
    landing.dir = pull_cache_blobs(pull->cache);
    model_status status = pull_cache_make_part(pull->cache, &landing.fd, &path, err);
    if (status != MODEL_OK)
        return status;
    status = fetch(pull, model, stop, &landing, err);
    if (close(landing.fd) != 0 && status == MODEL_OK)
        status = error_set_errno(err, errno, "cannot write into %.400s", landing.dir);
    if (status == MODEL_OK)
        status = pull_cache_keep(pull->cache, path, file->digest.hex, err);
    if (status != MODEL_OK)
        (void)unlink(path);
    free(path);
    return status;
}
