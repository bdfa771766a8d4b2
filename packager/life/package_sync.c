/* package_sync.c - see package_sync.h. What is installed has the name that the locked files give it, so that a
 * package that was locked elsewhere is the same folder here. */
#include "package_sync.h"
#include "errors.h"
#include "files.h"
#include "manifest_blobs.h"
#include "package_repair.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- looking */

static model_status package_dir(const struct store *store, const struct manifest *manifest,
                                char **ret, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES], *key = NULL;
    model_status status = store_key_of(manifest->id, &key, err);
    if (status == MODEL_OK)
        status = manifest_digest(manifest, hex, err);
    if (status == MODEL_OK &&
        (*ret = text_format("%s/packages/%s/%s", store_dir(store), key, hex)) == NULL)
        status = error_no_memory(err, "a package's folder");
    free(key);
    return status;
}

/* Whether "id@revision" leads to dir. */
static bool leads_to(const struct store *store, const char *id, const char *revision,
                     const char *dir)
{
    char *name = text_format("%s@%s", id, revision), *found = NULL;
    bool leads = name != NULL && store_find(store, name, &found, NULL) == MODEL_OK &&
                 strcmp(found, dir) == 0;
    free(found);
    free(name);
    return leads;
}

static bool lists(const struct manifest *manifest, const struct manifest_file *wanted)
{
    const struct manifest_file *file = manifest_find(manifest, wanted->path);
    return file != NULL && strcmp(file->sha256, wanted->sha256) == 0;
}

static bool has_all(const char *dir, const struct manifest *locked)
{
    struct manifest have = {0};
    bool all = manifest_read(dir, &have, NULL) == MODEL_OK;
    for (size_t i = 0; i < locked->n_files && all; i++)
        all = lists(&have, &locked->files[i]);
    manifest_finish(&have);
    return all;
}

/* Of the hub: with --hub-only a package has what was made in its place besides. */
static bool has_others(const char *dir, const struct manifest *locked)
{
    struct manifest have = {0};
    bool others = manifest_read(dir, &have, NULL) != MODEL_OK;
    for (size_t i = 0; i < have.n_files && !others; i++)
        others = have.files[i].source != NULL && !lists(locked, &have.files[i]);
    manifest_finish(&have);
    return others;
}

/* Of what a hub has, only what was locked stays. */
static void leave_out_unlocked(struct manifest *manifest, const struct manifest *locked)
{
    size_t kept = 0;
    for (size_t i = 0; i < manifest->n_files; i++) {
        if (manifest->files[i].source == NULL || lists(locked, &manifest->files[i])) {
            manifest->files[kept++] = manifest->files[i];
        } else {
            free(manifest->files[i].path);
            free(manifest->files[i].source);
        }
    }
    manifest->n_files = kept;
}

/* The package that "id@commit" means; NULL: none. */
static char *find_locked(const struct store *store, const struct manifest *manifest)
{
    char *name = text_format("%s@%s", manifest->id, manifest->revision), *dir = NULL;
    if (name != NULL)
        (void)store_find(store, name, &dir, NULL);
    free(name);
    return dir;
}

/* Whether the lock has what came from no hub, too: the plugin, model_info.json. */
static bool has_local_files(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        if (manifest->files[i].source == NULL)
            return true;
    return false;
}

static model_status judge(const struct store *store, const struct locked_package *locked,
                          const char *dir, const char *exact, enum sync_state *ret, char **ret_why)
{
    const struct manifest *manifest = &locked->manifest;
    struct manifest have = {0};
    struct model_error damage = MODEL_ERROR_INIT;
    bool fits = has_local_files(manifest) ? strcmp(dir, exact) == 0
                                          : has_all(dir, manifest) && !has_others(dir, manifest);
    *ret = SYNC_DIFFERS;
    if (!fits) {
        *ret_why = text_format("%s@%.12s has other files than were locked", manifest->id,
                               manifest->revision);
    } else if (manifest_read(dir, &have, &damage) != MODEL_OK) {
        *ret_why = text_format("%s", damage.message);
    } else if (store_check_package(store, dir, &have, &damage) != MODEL_OK) {
        *ret = SYNC_DAMAGED;
        *ret_why = text_format("%s", damage.message);
    } else {
        *ret = SYNC_SAME;
        for (size_t i = 0; i < locked->n_refs && *ret == SYNC_SAME; i++)
            if (!leads_to(store, manifest->id, locked->refs[i], dir)) {
                *ret = SYNC_REFS;
                *ret_why = text_format("%s@%s does not lead to %.12s", manifest->id,
                                       locked->refs[i], manifest->revision);
            }
    }
    manifest_finish(&have);
    return *ret == SYNC_SAME || *ret_why != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
}

model_status package_sync_look(const struct store *store, const struct locked_package *locked,
                               enum sync_state *ret, char **ret_why, struct model_error *err)
{
    const struct manifest *manifest = &locked->manifest;
    enum sync_state state = SYNC_ABSENT;
    char *exact = NULL, *why = NULL;
    model_status status = package_dir(store, manifest, &exact, err);
    char *dir = status == MODEL_OK ? find_locked(store, manifest) : NULL;
    if (status == MODEL_OK && dir != NULL)
        status = judge(store, locked, dir, exact, &state, &why);
    else if (status == MODEL_OK && (why = text_format("%s@%.12s is not in the store", manifest->id,
                                                      manifest->revision)) == NULL)
        status = MODEL_OUT_OF_MEMORY;
    free(dir);
    free(exact);
    if (status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, "comparing with a lockfile");
    if (status == MODEL_OK) {
        *ret = state;
        *ret_why = why;
    }
    return status;
}

model_status package_sync_signer(const struct store *store, const struct locked_package *locked,
                                 enum signer_state *ret, char **ret_why, struct model_error *err)
{
    const struct manifest *manifest = &locked->manifest;
    char *dir = find_locked(store, manifest);
    char *name = text_format("%s@%.12s", manifest->id, manifest->revision);
    model_status status = MODEL_OK;
    if (name == NULL)
        status = error_no_memory(err, "a name");
    else if (dir == NULL)
        *ret = SIGNER_SAME;
    else
        status = locked_signer_compare(&locked->signer, dir, name, ret, ret_why, err);
    free(name);
    free(dir);
    return status;
}

/* ---- getting what is lacking */

static bool lacks_local_files(const struct store *store, const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        if (manifest->files[i].source == NULL &&
            !manifest_blob_is_there(store, &manifest->files[i]))
            return true;
    return false;
}

static model_status fetch(const struct manifest *manifest, const struct download_options *given,
                          const char *store_folder, const struct blob_patterns *patterns,
                          struct model_error *err)
{
    struct download_options options = *given;
    struct download_result result = {0};
    options.id = manifest->id;
    options.revision = manifest->revision;
    options.store_dir = store_folder;
    options.rules = (struct selection_rules){.includes = (const char *const *)patterns->patterns,
                                             .n_includes = patterns->n_patterns,
                                             .allow_pickle = true}; /* as it was locked */
    model_status status = download_run(&options, &result, err);
    download_result_finish(&result);
    return status;
}

static model_status fetch_files(const struct store *store, const struct manifest *manifest,
                                const struct download_options *options, bool all,
                                struct model_error *err)
{
    struct blob_patterns patterns = {0};
    model_status status = blob_patterns_make(store, manifest, all, &patterns, err);
    if (status == MODEL_OK && patterns.n_patterns > 0)
        status = fetch(manifest, options, store_dir(store), &patterns, err);
    blob_patterns_finish(&patterns);
    return status;
}

static model_status check_all(const struct store *store, const struct manifest *manifest,
                              const char *plugin_path, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const struct manifest_file *file = &manifest->files[i];
        if (manifest_blob_is_there(store, file))
            continue;
        if (file->source != NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: the hub has other bytes of '%.200s' at %.12s than sha256 %s, "
                             "which was locked; if that is right, lock it again",
                             manifest->id, file->path, manifest->revision, file->sha256);
        status = manifest_blob_search(store, plugin_path, file, err);
        if (status == MODEL_OK && !manifest_blob_is_there(store, file))
            status = error_set(err, MODEL_NOT_FOUND,
                               "%s: '%.200s' (sha256 %s) came from no hub and is neither in the "
                               "store nor on the plugin path; put that very plugin there, or lock "
                               "with --hub-only",
                               manifest->id, file->path, file->sha256);
    }
    return status;
}

/* ---- installing */

static model_status set_text(char **text, const char *value, struct model_error *err)
{
    free(*text);
    *text = text_format("%s", value);
    return *text != NULL ? MODEL_OK : error_no_memory(err, "a package's manifest");
}

/* The manifest to install: the locked one, or that of the package which has the locked files besides what
 * was made here. */
static model_status base_manifest(const struct store *store, const struct locked_package *locked,
                                  struct manifest *ret, struct model_error *err)
{
    char *text = NULL, *dir = NULL;
    model_status status = MODEL_OK;
    if (!has_local_files(&locked->manifest))
        dir = find_locked(store, &locked->manifest);
    if (dir != NULL) {
        status = manifest_read(dir, ret, err);
        if (status == MODEL_OK)
            leave_out_unlocked(ret, &locked->manifest);
    } else {
        text = manifest_print(&locked->manifest);
        status = text != NULL ? manifest_parse(text, strlen(text), "a lockfile", ret, err)
                              : error_no_memory(err, "a package's manifest");
    }
    free(text);
    free(dir);
    return status;
}

static model_status install(const struct store *store, const struct locked_package *locked,
                            struct model_error *err)
{
    struct manifest manifest = {0};
    char created[32] = "1970-01-01T00:00:00Z";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    model_status status = base_manifest(store, locked, &manifest, err);
    if (status == MODEL_OK)
        status = set_text(&manifest.created, created, err);
    if (status == MODEL_OK)
        status = set_text(&manifest.requested_id, manifest.id, err);
    size_t n = locked->n_refs > 0 ? locked->n_refs : 1; /* none: the commit alone */
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        char *dir = NULL;
        status = set_text(&manifest.requested_revision,
                          locked->n_refs > 0 ? locked->refs[i] : manifest.revision, err);
        if (status == MODEL_OK)
            status = store_install(store, &manifest, &dir, err);
        free(dir);
    }
    manifest_finish(&manifest);
    return status;
}

/* Fetches what is lacking, and installs. */
static model_status make_package(const struct store *store, const struct locked_package *locked,
                                 const struct download_options *options, struct model_error *err)
{
    char *dir = find_locked(store, &locked->manifest);
    /* without local files in the lock the download makes the package, with the plugin of this place; else it
     * makes model_info.json, which the same plugin gives the same words */
    bool all = has_local_files(&locked->manifest) ? lacks_local_files(store, &locked->manifest)
                                                  : dir == NULL || !has_all(dir, &locked->manifest);
    free(dir);
    model_status status = fetch_files(store, &locked->manifest, options, all, err);
    if (status == MODEL_OK)
        status = check_all(store, &locked->manifest, options->plugin_path, err);
    return status == MODEL_OK ? install(store, locked, err) : status;
}

model_status package_sync_make(const struct store *store, const struct locked_package *locked,
                               enum sync_state state, const struct download_options *options,
                               struct model_error *err)
{
    struct package_repaired repaired = {0};
    char *dir = state == SYNC_DAMAGED ? find_locked(store, &locked->manifest) : NULL;
    if (dir == NULL)
        return make_package(store, locked, options, err);
    model_status status = package_repair(store, dir, options, &repaired, err);
    free(dir);
    if (status == MODEL_OK)
        return install(store, locked, err);
    /* where no signature is wanted it may be made anew in another way */
    return options->signature == NULL && (status == MODEL_CORRUPT || status == MODEL_NOT_FOUND)
               ? make_package(store, locked, options, err)
               : status;
}
