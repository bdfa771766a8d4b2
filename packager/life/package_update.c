/* package_update.c - see package_update.h. One update belongs to one thread. */
#include "package_update.h"
#include "coreml_config.h"
#include "errors.h"
#include "file_digests.h"
#include "hub_glob.h"

#include <stdlib.h>
#include <string.h>

/* ---- comparing */

static model_status add_change(struct package_update *update, enum file_change change,
                               const char *path, uint64_t old_bytes, uint64_t new_bytes,
                               struct model_error *err)
{
    void *larger = realloc(update->files, (update->n_files + 1) * sizeof *update->files);
    if (larger == NULL)
        return error_no_memory(err, "a list of changes");
    update->files = larger;
    struct changed_file file = {change, text_format("%s", path), old_bytes, new_bytes};
    if (file.path == NULL)
        return error_no_memory(err, "a list of changes");
    update->files[update->n_files++] = file;
    return MODEL_OK;
}

static bool is_same(const struct store *store, const struct manifest_file *have,
                    const struct hub_file *wanted)
{
    if (have->size_bytes != wanted->size_bytes)
        return false;
    if (wanted->digest.kind == HUB_DIGEST_SHA256)
        return strcmp(have->sha256, wanted->digest.hex) == 0;
    struct file_digests digests;
    char *blob = store != NULL ? store_blob_path(store, have->sha256) : NULL;
    bool same =
        blob == NULL || (file_digests_read(blob, FILE_GIT_BLOB, &digests, NULL) == MODEL_OK &&
                         strcmp(digests.git_blob, wanted->digest.hex) == 0);
    free(blob);
    return same;
}

static const struct plan_file *find_planned(const struct download_plan *plan, const char *source)
{
    for (size_t i = 0; i < plan->n_files; i++)
        if (strcmp(plan->files[i].file->path, source) == 0)
            return &plan->files[i];
    return NULL;
}

static int compare_changes(const void *a, const void *b)
{
    return strcmp(((const struct changed_file *)a)->path, ((const struct changed_file *)b)->path);
}

model_status package_update_compare(const struct store *store, const struct manifest *manifest,
                                    const struct download_plan *plan, struct package_update *ret,
                                    struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < plan->n_files && status == MODEL_OK; i++) {
        const struct hub_file *file = plan->files[i].file;
        const struct manifest_file *have = coreml_find_file(manifest, plan->files[i].package_path);
        if (have == NULL)
            status = add_change(ret, FILE_ADDED, file->path, 0, file->size_bytes, err);
        else if (!is_same(store, have, file))
            status =
                add_change(ret, FILE_CHANGED, file->path, have->size_bytes, file->size_bytes, err);
    }
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const struct manifest_file *have = &manifest->files[i];
        if (have->source != NULL && find_planned(plan, have->source) == NULL)
            status = add_change(ret, FILE_REMOVED, have->source, have->size_bytes, 0, err);
    }
    if (ret->n_files > 1)
        qsort(ret->files, ret->n_files, sizeof *ret->files, compare_changes);
    return status;
}

/* ---- running */

struct updating {
    struct manifest manifest; /* of the package now */
    struct download_options options;
    const char **includes; /* points into the manifest */
    struct model_error *err;
};

static bool has_weights(const struct manifest *manifest)
{
    static const char *const weights[] = {"*.safetensors", "*.bin",  "*.pt", "*.pth",
                                          "*.onnx",        "*.gguf", "*.h5", "*.msgpack"};
    for (size_t i = 0; i < manifest->n_files; i++) {
        const char *source = manifest->files[i].source;
        if (source != NULL &&
            hub_glob_match_any(weights, sizeof weights / sizeof weights[0], source))
            return true;
    }
    return false;
}

/* Who fetched a tokenizer only does not want the weights with its next version. */
static model_status keep_to_files(struct updating *updating)
{
    const struct manifest *manifest = &updating->manifest;
    if (updating->options.rules.n_includes > 0 || has_weights(manifest))
        return MODEL_OK;
    updating->includes = calloc(manifest->n_files + 1, sizeof *updating->includes);
    if (updating->includes == NULL)
        return error_no_memory(updating->err, "a list of files");
    size_t n = 0;
    for (size_t i = 0; i < manifest->n_files; i++)
        if (manifest->files[i].source != NULL)
            updating->includes[n++] = manifest->files[i].source;
    updating->options.rules.includes = updating->includes;
    updating->options.rules.n_includes = n;
    return MODEL_OK;
}

static model_status look(struct updating *updating, struct package_update *update)
{
    struct download download;
    struct download_options options = updating->options;
    options.dry_run = true;
    model_status status = download_begin(&options, &download, updating->err);
    if (status != MODEL_OK)
        return status;
    update->to = text_format("%s", download.model.commit);
    update->fetch_bytes = download.plan.fetch_bytes;
    status = update->to != NULL ? package_update_compare(download.store, &updating->manifest,
                                                         &download.plan, update, updating->err)
                                : error_no_memory(updating->err, "an update");
    download_end(&download);
    return status;
}

static model_status get(struct updating *updating, struct package_update *update)
{
    struct download_result result = {0};
    model_status status = download_run(&updating->options, &result, updating->err);
    if (status == MODEL_OK) {
        update->dir = result.dir;
        result.dir = NULL;
        free(update->to); /* it may have moved on since we looked */
        update->to = result.revision;
        result.revision = NULL;
    }
    download_result_finish(&result);
    return status;
}

model_status package_update_run(const struct store_entry *entry, const char *ref,
                                const char *store_folder, const struct download_options *options,
                                bool dry_run, struct package_update *ret, struct model_error *err)
{
    struct updating updating = {.options = *options, .err = err};
    struct package_update update = {.id = text_format("%s", entry->id),
                                    .ref = text_format("%s", ref),
                                    .from = text_format("%s", entry->revision)};
    updating.options.id = entry->id;
    updating.options.revision = ref;
    updating.options.store_dir = store_folder;
    model_status status = update.id != NULL && update.ref != NULL && update.from != NULL
                              ? manifest_read(entry->dir, &updating.manifest, err)
                              : error_no_memory(err, "an update");
    if (status == MODEL_OK)
        status = keep_to_files(&updating);
    if (status == MODEL_OK)
        status = look(&updating, &update);
    if (status == MODEL_OK && !dry_run && strcmp(update.from, update.to) != 0)
        status = get(&updating, &update);
    manifest_finish(&updating.manifest);
    free(updating.includes);
    if (status == MODEL_OK)
        *ret = update;
    else
        package_update_finish(&update);
    return status;
}

void package_update_finish(struct package_update *update)
{
    for (size_t i = 0; i < update->n_files; i++)
        free(update->files[i].path);
    free(update->files);
    free(update->id);
    free(update->ref);
    free(update->from);
    free(update->to);
    free(update->dir);
    *update = (struct package_update){0};
}
