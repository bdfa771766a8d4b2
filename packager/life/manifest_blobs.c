/* manifest_blobs.c - see manifest_blobs.h. */
#include "manifest_blobs.h"
#include "errors.h"
#include "files.h"
#include "package_build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool manifest_blob_is_there(const struct store *store, const struct manifest_file *file)
{
    return store_blob_is_good(store, file->sha256, file->size_bytes) != 0;
}

/* ---- from the hub */

/* A pattern that only this name fits. */
static char *exact_pattern(const char *name)
{
    struct buffer text = BUFFER_INIT(8192);
    model_status status = MODEL_OK;
    for (const char *c = name; *c != '\0' && status == MODEL_OK; c++)
        status = strchr("*?[", *c) != NULL ? buffer_printf(&text, "[%c]", *c)
                                           : buffer_append(&text, c, 1);
    char *pattern = status == MODEL_OK ? buffer_take(&text) : NULL;
    buffer_finish(&text);
    return pattern;
}

model_status blob_patterns_make(const struct store *store, const struct manifest *manifest,
                                bool all, struct blob_patterns *ret, struct model_error *err)
{
    struct blob_patterns made = {.patterns = calloc(manifest->n_files + 1, sizeof *made.patterns)};
    model_status status =
        made.patterns != NULL ? MODEL_OK : error_no_memory(err, "a list of files");
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const struct manifest_file *file = &manifest->files[i];
        if (file->source == NULL || (!all && manifest_blob_is_there(store, file)))
            continue;
        made.patterns[made.n_patterns] = exact_pattern(file->source);
        if (made.patterns[made.n_patterns++] == NULL)
            status = error_no_memory(err, "a list of files");
    }
    if (status == MODEL_OK)
        *ret = made;
    else
        blob_patterns_finish(&made);
    return status;
}

void blob_patterns_finish(struct blob_patterns *patterns)
{
    for (size_t i = 0; i < patterns->n_patterns; i++)
        free(patterns->patterns[i]);
    free(patterns->patterns);
    *patterns = (struct blob_patterns){0};
}

/* ---- from the plugin path */

/* Makes the file a blob when it is the one that was locked. */
static model_status try_plugin(const struct store *store, const char *path,
                               const struct manifest_file *wanted, struct model_error *err)
{
    struct stat info;
    char hex[SHA256_HEX_BYTES], *staging = NULL, *copy = NULL;
    uint64_t size_bytes = 0;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
        (uint64_t)info.st_size != wanted->size_bytes)
        return MODEL_OK;
    model_status status = store_make_staging(store, &staging, err);
    if (status == MODEL_OK && (copy = path_join(staging, "plugin")) == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = copy_file_hashed(path, copy, hex, &size_bytes, err);
    if (status == MODEL_OK && strcmp(hex, wanted->sha256) == 0)
        status = store_add_blob(store, copy, hex, err);
    store_end_staging(store, staging);
    free(copy);
    return status;
}

static model_status search_folder(const struct store *store, const char *folder,
                                  const struct manifest_file *wanted, struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = MODEL_OK;
    if (dir_read(folder, &list, NULL) != MODEL_OK)
        return MODEL_OK;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *path = path_join(folder, list.names[i]);
        status =
            path != NULL ? try_plugin(store, path, wanted, err) : error_no_memory(err, "a path");
        free(path);
    }
    dir_list_finish(&list);
    return status;
}

/* The plugin path's folders, separated by ':'. */
model_status manifest_blob_search(const struct store *store, const char *plugin_path,
                                  const struct manifest_file *wanted, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (const char *at = plugin_path; at != NULL && *at != '\0' && status == MODEL_OK;) {
        size_t n = strcspn(at, ":");
        char *folder = text_format("%.*s", (int)n, at);
        status = folder != NULL ? search_folder(store, folder, wanted, err)
                                : error_no_memory(err, "a path");
        free(folder);
        at += n + (at[n] == ':');
    }
    return status;
}
