/* download_cache.c - see download_cache.h. One download belongs to one thread. */
#include "download_cache.h"
#include "coreml_config.h"
#include "errors.h"
#include "hub_cache.h"
#include "pull_cache.h"

#include <stdlib.h>
#include <string.h>

/* What a mirror of this store pulled. Small files are copied: there, a file's time says when it was used
 * last; large ones the mirror takes from the store from now on. */
static model_status take_pulled(const struct download *download, struct plan_file *planned,
                                bool *ret_found, struct model_error *err)
{
    const struct hub_file *file = planned->file;
    char *path = pull_cache_place(store_dir(download->store), file->digest.hex);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status =
        hub_cache_take_file(path, file->digest.kind == HUB_DIGEST_SHA256, &file->digest,
                            file->size_bytes, download->store, planned->sha256, ret_found, err);
    free(path);
    return status;
}

model_status download_take_cached(const struct download *download, struct plan_file *planned,
                                  struct model_error *err)
{
    const struct download_options *options = download->options;
    /* clients keep a model under the name that it was asked by */
    const char *ids[] = {download->model.id, options->id};
    if (options->dry_run || planned->in_store || !store_is_writable(download->store))
        return MODEL_OK;
    bool found = false;
    model_status status = take_pulled(download, planned, &found, err);
    for (size_t i = 0; options->hub_cache_dir != NULL && i < 2 && status == MODEL_OK && !found; i++)
        if (i == 0 || strcmp(ids[0], ids[1]) != 0)
            status = hub_cache_take(options->hub_cache_dir, ids[i], &planned->file->digest,
                                    planned->file->size_bytes, download->store, planned->sha256,
                                    &found, err);
    if (status == MODEL_OK && found)
        planned->in_store = true;
    return status;
}

/* The SHA-256 of a file of the plan: a package that was there already says it in its manifest. */
static const char *content_of(const struct plan_file *planned, const struct manifest *manifest)
{
    const struct manifest_file *file = coreml_find_file(manifest, planned->package_path);
    return file != NULL ? file->sha256 : planned->sha256;
}

static model_status lay(const struct download *download, const struct manifest *manifest,
                        struct hub_cache_file *files, char **contents, struct model_error *err)
{
    const struct download_plan *plan = &download->plan;
    for (size_t i = 0; i < plan->n_files; i++) {
        contents[i] = store_blob_path(download->store, content_of(&plan->files[i], manifest));
        if (contents[i] == NULL)
            return error_no_memory(err, "writing the hub cache");
        files[i] = (struct hub_cache_file){plan->files[i].file->path, &plan->files[i].file->digest,
                                           contents[i]};
    }
    return hub_cache_lay_down(download->options->hub_cache_dir, download->options->id,
                              download->revision, download->model.commit, files, plan->n_files,
                              err);
}

model_status download_lay_cache(const struct download *download,
                                const struct download_result *result, struct model_error *err)
{
    const size_t n = download->plan.n_files;
    struct manifest manifest = {0};
    if (!download->options->lay_cache || download->options->hub_cache_dir == NULL)
        return MODEL_OK;
    model_status status = manifest_read(result->dir, &manifest, err);
    if (status != MODEL_OK)
        return status;
    struct hub_cache_file *files = calloc(n + 1, sizeof *files);
    char **contents = calloc(n + 1, sizeof *contents);
    status = files != NULL && contents != NULL ? lay(download, &manifest, files, contents, err)
                                               : error_no_memory(err, "writing the hub cache");
    for (size_t i = 0; contents != NULL && i < n; i++)
        free(contents[i]);
    free(contents);
    free(files);
    manifest_finish(&manifest);
    return status;
}
