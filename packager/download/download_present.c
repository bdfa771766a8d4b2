/* download_present.c - what of a download the store has already: finding the package, whether its
 * files are all there, whether it is what was asked for offline, and whose it is. See download.h.
 * Only reads the store. One download belongs to one thread. */
#include "download.h"
#include "errors.h"
#include "files.h"
#include "hub_glob.h"
#include "package_trust.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

model_status download_find_package(const struct store *store, const char *id, const char *revision,
                                   char **ret, struct model_error *err)
{
    char *dir = NULL;
    char *name = text_format("%s@%s", id, revision);
    if (name == NULL)
        return error_no_memory(err, "a name");
    model_status status = store_find(store, name, &dir, err);
    free(name);
    /* several packages of a bare name that might be meant: none of them is this one */
    if (status == MODEL_NOT_FOUND || status == MODEL_INVALID_ARGUMENT)
        status = MODEL_OK;
    if (status == MODEL_OK)
        *ret = dir;
    return status;
}

static model_status check_file(const char *dir, const struct manifest_file *file,
                               struct model_error *err)
{
    struct stat info;
    char *path = path_join(dir, file->path);
    if (path == NULL)
        return error_no_memory(err, "a path");
    bool is_file = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    free(path);
    if (!is_file)
        return error_set(err, MODEL_CORRUPT, "the package %.300s is damaged: '%.200s' is missing",
                         dir, file->path);
    if ((uint64_t)info.st_size != file->size_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "the package %.300s is damaged: '%.200s' has %llu bytes, want %llu", dir,
                         file->path, (unsigned long long)info.st_size,
                         (unsigned long long)file->size_bytes);
    return MODEL_OK;
}

model_status download_check_files(const struct store *store, const char *dir,
                                  const struct manifest *manifest, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++)
        status = check_file(dir, &manifest->files[i], err);
    return status == MODEL_OK ? store_check_package(store, dir, manifest, err) : status;
}

model_status download_check_signature(const struct signature_policy *policy, const char *dir,
                                      const char *id, struct model_error *err)
{
    struct package_papers papers = {0};
    struct manifest manifest = {0};
    if (policy == NULL)
        return MODEL_OK;
    if (dir == NULL)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "'%.200s' is not in the store with a signature, and what a hub has brings "
                         "none; get its package from its author and import that, or download it, "
                         "look through it and sign it yourself",
                         id);
    model_status status = package_papers_read(dir, NULL, &papers, err);
    if (status == MODEL_OK)
        status = manifest_parse(papers.text, papers.n_bytes, "metadata.json", &manifest, err);
    if (status == MODEL_OK) {
        const struct signed_manifest papers_signed = package_papers_signed(&papers, dir, &manifest);
        status = package_signature_require(&papers_signed, policy, err);
    }
    manifest_finish(&manifest);
    package_papers_finish(&papers);
    return status;
}

/* ---- offline: what was asked for */

static bool has_source_like(const struct manifest *manifest, const char *const *patterns,
                            size_t n_patterns)
{
    for (size_t i = 0; i < manifest->n_files; i++) {
        const char *source = manifest->files[i].source;
        if (source != NULL && hub_glob_match_any(patterns, n_patterns, source))
            return true;
    }
    return false;
}

model_status download_check_asked(const struct selection_rules *rules,
                                  const struct manifest *manifest, struct model_error *err)
{
    static const char *const weights[] = {
        "*.safetensors", "*.bin",    "*.pt",     "*.pth",   "*.ckpt",    "*.pkl",
        "*.pickle",      "*.joblib", "*.h5",     "*.keras", "*.msgpack", "*.ot",
        "*.onnx",        "*.gguf",   "*.tflite", "*.nemo",  "*.mlmodel"};
    for (size_t i = 0; i < rules->n_includes; i++)
        if (!has_source_like(manifest, &rules->includes[i], 1))
            return error_set(err, MODELHOST_OFFLINE,
                             "offline, and the package of '%s' has no file like '%.200s'; unset "
                             "HF_HUB_OFFLINE to download it",
                             manifest->id, rules->includes[i]);
    bool wants_weights =
        rules->n_includes == 0 &&
        !hub_glob_match_any(rules->excludes, rules->n_excludes, "model.safetensors");
    if (wants_weights && !has_source_like(manifest, weights, sizeof weights / sizeof weights[0]))
        return error_set(err, MODELHOST_OFFLINE,
                         "offline, and the package of '%s' has no weights: only a part of the "
                         "model was downloaded; unset HF_HUB_OFFLINE to download the rest, or name "
                         "the files you want with --include",
                         manifest->id);
    return MODEL_OK;
}

/* ---- whose the name is */

static model_status check_entry(const struct download *download, const struct store_entry *entry,
                                struct model_error *err)
{
    struct manifest manifest = {0};
    const char *endpoint = hub_endpoint(download->hub);
    if (strcmp(entry->id, download->model.id) != 0 ||
        manifest_read(entry->dir, &manifest, NULL) != MODEL_OK)
        return MODEL_OK;
    model_status status = MODEL_OK;
    const char *other = manifest.endpoint != NULL ? manifest.endpoint : "";
    if (strcmp(other, endpoint) != 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%.200s says that '%s' is '%s', but the store %.200s has '%s' from "
                           "%.200s: give this hub a store of its own with --store DIR, or 'pkgmgr "
                           "rm %s' first",
                           endpoint, download->options->id, entry->id, store_dir(download->store),
                           entry->id, other[0] != '\0' ? other : "no hub", entry->id);
    manifest_finish(&manifest);
    return status;
}

model_status download_check_owner(const struct download *download, struct model_error *err)
{
    struct store_list list = {0};
    if (download->store == NULL || strcmp(download->model.id, download->options->id) == 0)
        return MODEL_OK;
    model_status status = store_list_packages(download->store, &list, err);
    for (size_t i = 0; i < list.n_entries && status == MODEL_OK; i++)
        status = check_entry(download, &list.entries[i], err);
    store_list_finish(&list);
    return status;
}
