/* package_import.c - see package_import.h. The files go the way of a download's: blobs first, then one
 * package by one rename. */
#include "package_import.h"
#include "case_twins.h"
#include "coreml_choice.h"
#include "coreml_config.h"
#include "errors.h"
#include "file_digests.h"
#include "file_selection.h"
#include "files.h"
#include "import_source.h"
#include "package.h"
#include "package_build.h"
#include "plugin_choice.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct importing {
    const struct store *store;
    const struct package_import *import;
    struct import_source source;
    enum file_verdict *verdicts; /* (source.files.n_files) */
    struct manifest manifest;
    char *staging, *plugin, *old_dir, *advice;
    struct model_error *err;
};

static model_status no_memory(const struct importing *importing)
{
    return error_no_memory(importing->err, "importing a package");
}

/* ---- names */

static model_status choose_id(struct importing *importing, char **ret)
{
    const struct package_import *import = importing->import;
    const char *id = import->id != NULL             ? import->id
                     : importing->source.id != NULL ? importing->source.id
                                                    : path_base(importing->source.dir);
    char *key = NULL;
    model_status status = store_key_of(id, &key, importing->err);
    free(key);
    if (status == MODEL_INVALID_ARGUMENT && import->id == NULL)
        error_advise(importing->err, "give one with --name");
    if (status == MODEL_OK && (*ret = text_format("%s", id)) == NULL)
        status = no_memory(importing);
    return status;
}

/* 40 digits over what the folder holds: two imports of the same files are one package. */
static model_status make_commit(struct importing *importing, char **ret)
{
    struct digest *digest = NULL;
    char hex[SHA256_HEX_BYTES];
    model_status status = digest_create_sha256(&digest, importing->err);
    for (size_t i = 0; i < importing->manifest.n_files && status == MODEL_OK; i++) {
        const struct manifest_file *file = &importing->manifest.files[i];
        if (file->source == NULL)
            continue; /* made of the others */
        char *line = text_format("%s %s\n", file->sha256, file->source);
        if (line != NULL)
            digest_update(digest, line, strlen(line));
        else
            status = no_memory(importing);
        free(line);
    }
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, hex);
    *ret = text_format("%.40s", hex);
    return *ret != NULL ? MODEL_OK : no_memory(importing);
}

static model_status name_manifest(struct importing *importing)
{
    struct manifest *manifest = &importing->manifest;
    const struct import_source *source = &importing->source;
    const char *revision = importing->import->revision;
    char created[32] = "1970-01-01T00:00:00Z";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    model_status status = choose_id(importing, &manifest->id);
    if (status == MODEL_OK && source->commit == NULL)
        status = make_commit(importing, &manifest->revision);
    else if (status == MODEL_OK)
        manifest->revision = text_format("%s", source->commit);
    if (status != MODEL_OK)
        return status;
    if (revision == NULL)
        revision = source->revision != NULL ? source->revision : "main";
    manifest->requested_id = text_format("%s", manifest->id);
    manifest->requested_revision = text_format("%s", revision);
    manifest->endpoint = text_format("%s", "");
    manifest->created = text_format("%s", created);
    return manifest->revision != NULL && manifest->requested_id != NULL &&
                   manifest->requested_revision != NULL && manifest->endpoint != NULL &&
                   manifest->created != NULL
               ? MODEL_OK
               : no_memory(importing);
}

/* ---- files */

/* What a client of the hub named by a digest must have it. */
static model_status check_cached(const struct importing *importing, const char *path,
                                 const struct file_digests *digests)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return no_memory(importing);
    struct hub_digest named = hub_digest_read(path_base(real));
    bool good = named.kind == HUB_DIGEST_NONE ||
                strcmp(named.hex,
                       named.kind == HUB_DIGEST_SHA256 ? digests->sha256 : digests->git_blob) == 0;
    model_status status =
        good ? MODEL_OK
             : error_set(importing->err, MODEL_CORRUPT,
                         "%.300s is damaged: its bytes are not those of the digest that it is "
                         "named by; remove it, and download the model again",
                         real);
    free(real);
    return status;
}

/* SHA-256 names the blob; git's digest is looked at where the cache says it. */
static unsigned digests_of(const struct importing *importing, const char *real)
{
    const enum hub_digest_kind kind = hub_digest_read(path_base(real)).kind;
    bool is_git = importing->source.is_cache && kind == HUB_DIGEST_GIT_BLOB;
    return FILE_SHA256 | (is_git ? FILE_GIT_BLOB : 0u);
}

static model_status take_file(struct importing *importing, const struct hub_file *file)
{
    struct model_error *err = importing->err;
    struct file_digests digests;
    char *path = path_join(importing->source.dir, file->path);
    char *real = path != NULL ? realpath(path, NULL) : NULL;
    char *copy = path_join(importing->staging, "import"),
         *inside = import_source_place(&importing->source, file->path);
    model_status status = path != NULL && real != NULL && copy != NULL && inside != NULL
                              ? MODEL_OK
                              : no_memory(importing);
    if (status == MODEL_OK && manifest_find(&importing->manifest, inside) != NULL)
        status =
            error_set(err, MODEL_CORRUPT,
                      "two files would both become '%.200s' of the package: remove one", inside);
    if (status == MODEL_OK)
        status = store_share_file(real, copy, importing->source.is_cache, err);
    if (status == MODEL_OK)
        status = file_digests_read(copy, digests_of(importing, real), &digests, err);
    if (status == MODEL_OK && importing->source.is_cache)
        status = check_cached(importing, path, &digests);
    if (status == MODEL_OK)
        status = store_add_blob(importing->store, copy, digests.sha256, err);
    if (status == MODEL_OK)
        status = manifest_add(&importing->manifest, inside, file->path, digests.size_bytes,
                              digests.sha256, err);
    free(inside);
    free(copy);
    free(real);
    free(path);
    return status;
}

static model_status choose_files(struct importing *importing)
{
    const struct hub_files *files = &importing->source.files;
    const struct selection_rules rules = {.allow_pickle = importing->import->allow_pickle};
    importing->verdicts = calloc(files->n_files + 1, sizeof *importing->verdicts);
    if (importing->verdicts == NULL)
        return no_memory(importing);
    if (importing->source.inside != NULL)
        return MODEL_OK; /* all are parts of one model */
    return file_selection_judge(files, &rules, importing->import->path, importing->verdicts,
                                importing->err);
}

static model_status take_files(struct importing *importing)
{
    const struct hub_files *files = &importing->source.files;
    model_status status = store_make_staging(importing->store, &importing->staging, importing->err);
    for (size_t i = 0; i < files->n_files && status == MODEL_OK; i++) {
        if (importing->verdicts[i] == FILE_TAKEN)
            status = take_file(importing, &files->files[i]);
        else
            log_write(&importing->import->log, MODEL_LOG_WARN, "leaving out '%.200s': %s",
                      files->files[i].path, file_verdict_reason(importing->verdicts[i]));
    }
    return status;
}

static const char *path_at(const void *manifest, size_t i)
{
    return ((const struct manifest *)manifest)->files[i].path;
}

static void warn_of_twins(const struct importing *importing)
{
    const struct manifest *manifest = &importing->manifest;
    size_t first, second;
    if (case_twins_find(path_at, manifest, manifest->n_files, &first, &second))
        log_write(&importing->import->log, MODEL_LOG_WARN, CASE_TWINS_WARNING,
                  manifest->files[first].path, manifest->files[second].path);
}

/* ---- the package */

static model_status choose_plugin(struct importing *importing)
{
    struct model_error reason = MODEL_ERROR_INIT;
    char *config = NULL;
    model_status status =
        manifest_blob_path(importing->store, &importing->manifest,
                           coreml_config_path(&importing->manifest), &config, importing->err);
    if (status != MODEL_OK)
        return status;
    status = plugin_choose(config, importing->import->plugin_path, importing->manifest.id,
                           &importing->plugin, &importing->advice, &reason);
    if (status == MODEL_CORRUPT) { /* a broken config.json: tokenizers do without */
        importing->advice =
            plugin_choice_refused(config, coreml_config_path(&importing->manifest), &reason);
        status = importing->advice != NULL ? MODEL_OK : no_memory(importing);
    } else if (status != MODEL_OK) {
        (void)error_set(importing->err, status, "%s", reason.message);
    }
    free(config);
    return status;
}

/* A package of the same commit hands its names over. */
static void find_old(struct importing *importing)
{
    char *name = text_format("%s@%s", importing->manifest.id, importing->manifest.revision);
    if (name != NULL)
        (void)store_find(importing->store, name, &importing->old_dir, NULL);
    free(name);
}

static model_status run(struct importing *importing, struct package_imported *ret)
{
    model_status status = choose_files(importing);
    if (status == MODEL_OK)
        status = take_files(importing);
    if (status == MODEL_OK)
        status = coreml_config_add(importing->store, importing->staging, &importing->manifest,
                                   importing->err);
    if (status == MODEL_OK)
        status = coreml_choice_check(importing->store, &importing->manifest, importing->err);
    if (status == MODEL_OK)
        warn_of_twins(importing);
    if (status == MODEL_OK)
        status = name_manifest(importing);
    if (status == MODEL_OK)
        status = choose_plugin(importing);
    if (status != MODEL_OK)
        return status;
    find_old(importing);
    struct package_imported result = {0};
    result.note = coreml_config_note(&importing->manifest);
    struct package_wish wish = {.plugin = importing->plugin,
                                .old_dir = importing->old_dir,
                                .must_open = true,
                                .is_told = result.note != NULL};
    if (result.note == NULL)
        result.note = coreml_choice_note(importing->store, &importing->manifest);
    for (size_t i = 0; i < importing->manifest.n_files; i++)
        result.size_bytes += importing->manifest.files[i].size_bytes;
    result.n_files = importing->manifest.n_files;
    result.id = text_format("%s", importing->manifest.id);
    result.revision = text_format("%s", importing->manifest.revision);
    status = result.id != NULL && result.revision != NULL
                 ? package_build(importing->store, importing->staging, &importing->manifest, &wish,
                                 &importing->import->log, &result.dir, importing->err)
                 : no_memory(importing);
    if (status != MODEL_OK) {
        package_imported_finish(&result);
        return status;
    }
    result.plugin_advice = importing->advice;
    importing->advice = NULL;
    *ret = result;
    return MODEL_OK;
}

model_status package_import(const struct store *store, const struct package_import *import,
                            struct package_imported *ret, struct model_error *err)
{
    struct importing importing = {.store = store, .import = import, .err = err};
    model_status status =
        import_source_read(import->path, import->revision, &importing.source, err);
    if (status == MODEL_OK)
        status = run(&importing, ret);
    store_end_staging(store, importing.staging);
    import_source_finish(&importing.source);
    manifest_finish(&importing.manifest);
    free(importing.verdicts);
    free(importing.plugin);
    free(importing.old_dir);
    free(importing.advice);
    return status;
}

void package_imported_finish(struct package_imported *imported)
{
    free(imported->dir);
    free(imported->id);
    free(imported->revision);
    free(imported->plugin_advice);
    free(imported->note);
    *imported = (struct package_imported){0};
}
