/* pull_fill.c - see pull_fill.h. It is a download into the store like any other, whose bytes are here already
 * (download_cache.c looks into the cache of a mirror); the hub is asked for two lists and no file. */
#include "pull_fill.h"
#include "download.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* Whether the store leads from the name and revision to a package of the commit. */
static bool is_filled(const struct pull *pull, const char *id, const char *revision,
                      const char *commit)
{
    struct manifest manifest = {0};
    char *dir = NULL;
    bool is_there = download_find_package(pull->store, id, revision, &dir, NULL) == MODEL_OK &&
                    dir != NULL && manifest_read(dir, &manifest, NULL) == MODEL_OK &&
                    strcmp(manifest.revision, commit) == 0;
    manifest_finish(&manifest);
    free(dir);
    return is_there;
}

/* Whether all that a download would take is here. */
static bool is_complete(const struct pull *pull, const struct pull_record *record)
{
    static const struct selection_rules rules = {0};
    const struct hub_files *files = &record->files;
    enum file_verdict *verdicts = calloc(files->n_files + 1, sizeof *verdicts);
    bool is_here = verdicts != NULL && file_selection_judge(files, &rules, record->model.id,
                                                            verdicts, NULL) == MODEL_OK;
    for (size_t i = 0; is_here && i < files->n_files; i++) {
        if (verdicts[i] != FILE_TAKEN)
            continue;
        char *path = pull_path(pull, files->files[i].digest.hex, files->files[i].size_bytes);
        is_here = path != NULL;
        free(path);
    }
    free(verdicts);
    return is_here;
}

/* A branch may have moved meanwhile: then it is for those who ask for it next. */
static model_status install(const struct pull *pull, const char *id, const char *revision,
                            const char *commit, const atomic_bool *stop, bool *ret_filled,
                            struct model_error *err)
{
    struct download download;
    struct download_result result = {0};
    struct download_options options = {.id = id,
                                       .revision = revision,
                                       .store_dir = store_dir(pull->store),
                                       .plugin_path = "",
                                       .hub = pull_hub_config(pull, stop)};
    model_status status = download_begin(&options, &download, err);
    if (status != MODEL_OK)
        return status;
    bool is_same = strcmp(download.model.commit, commit) == 0;
    if (is_same)
        status = download_transfer(&download, err);
    if (is_same && status == MODEL_OK)
        status = download_install(&download, &result, err);
    download_end(&download);
    download_result_finish(&result);
    if (status == MODEL_OK)
        *ret_filled = is_same;
    return status;
}

static void give_up_doubles(const struct pull *pull, const struct pull_record *record)
{
    for (size_t i = 0; i < record->files.n_files; i++) {
        const struct hub_file *file = &record->files.files[i];
        if (store_has_blob(pull->store, file->digest.hex, file->size_bytes))
            pull_cache_forget(pull->cache, file->digest.hex);
    }
}

model_status pull_fill_store(const struct pull *pull, const char *id, const char *revision,
                             const char *commit, const atomic_bool *stop, bool *ret_filled,
                             struct model_error *err)
{
    struct pull_record record;
    bool is_done = false;
    *ret_filled = false;
    if (pull->store == NULL || pull->cache == NULL || is_filled(pull, id, revision, commit))
        return MODEL_OK;
    model_status status = pull_cache_read(pull->cache, id, commit, &record, err);
    if (status != MODEL_OK)
        return status;
    if (is_complete(pull, &record))
        status = install(pull, id, revision, commit, stop, &is_done, err);
    if (is_done)
        give_up_doubles(pull, &record);
    pull_record_finish(&record);
    *ret_filled = is_done;
    return status;
}
