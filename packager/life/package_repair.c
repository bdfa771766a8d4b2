/* package_repair.c - see package_repair.h. The papers are read once: what is judged is what is installed. Contents are
 * fetched as blobs only, so that no other package is made on the way, and no ref moves. */
#include "package_repair.h"
#include "errors.h"
#include "files.h"
#include "manifest_blobs.h"
#include "package_build.h"
#include "package_trust.h"

#include <stdlib.h>
#include <string.h>

struct repair {
    const struct store *store;
    const struct download_options *options;
    const char *dir;
    struct package_papers papers;
    struct manifest manifest;
    struct package_repaired result;
    struct model_error *err;
};

/* ---- the papers */

static model_status check_papers(const struct repair *repair)
{
    const struct signature_policy *policy = repair->options->signature;
    const struct signed_manifest papers_signed =
        package_papers_signed(&repair->papers, repair->dir, &repair->manifest);
    if (!manifest_names_folder(&repair->manifest, repair->dir))
        return error_set(repair->err, MODEL_CORRUPT,
                         "%s: metadata.json is not the one that its folder is named by, so "
                         "nobody knows what its files were; 'pkgmgr rm %s', then get it again",
                         repair->dir, repair->manifest.id);
    return policy != NULL ? package_signature_require(&papers_signed, policy, repair->err)
                          : MODEL_OK;
}

static model_status read_papers(struct repair *repair)
{
    model_status status = package_papers_read(repair->dir, NULL, &repair->papers, repair->err);
    if (status == MODEL_OK)
        status = manifest_parse(repair->papers.text, repair->papers.n_bytes, "metadata.json",
                                &repair->manifest, repair->err);
    return status == MODEL_OK ? check_papers(repair) : status;
}

/* ---- what is bad */

/* A blob that is damaged and of which the package has a good copy (a disk that shares no inodes). */
static model_status keep_copy(const struct repair *repair, const char *path)
{
    char hex[SHA256_HEX_BYTES], *staging = NULL, *copy = NULL;
    uint64_t size_bytes = 0;
    model_status status = store_make_staging(repair->store, &staging, repair->err);
    if (status == MODEL_OK && (copy = path_join(staging, "copy")) == NULL)
        status = error_no_memory(repair->err, "a path");
    if (status == MODEL_OK)
        status = copy_file_hashed(path, copy, hex, &size_bytes, repair->err);
    if (status == MODEL_OK) /* under what it is: should that be another by now, it helps nobody */
        status = store_add_blob(repair->store, copy, hex, repair->err);
    store_end_staging(repair->store, staging);
    free(copy);
    return status;
}

static model_status look_at(struct repair *repair, const struct manifest_file *file)
{
    char hex[SHA256_HEX_BYTES] = "";
    uint64_t size_bytes = 0;
    model_status status = MODEL_OK;
    char *path = path_join(repair->dir, file->path);
    if (path == NULL)
        return error_no_memory(repair->err, "a path");
    const bool is_good = digest_file_sha256(path, hex, &size_bytes, NULL) == MODEL_OK &&
                         strcmp(hex, file->sha256) == 0;
    const bool has_blob = manifest_blob_is_there(repair->store, file);
    if (is_good && !has_blob)
        status = keep_copy(repair, path);
    free(path);
    repair->result.n_files += !is_good;
    repair->result.needed_bytes += !is_good && !has_blob ? file->size_bytes : 0;
    return status;
}

static model_status look_at_all(struct repair *repair)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < repair->manifest.n_files && status == MODEL_OK; i++)
        status = look_at(repair, &repair->manifest.files[i]);
    return status;
}

/* ---- getting it */

static model_status transfer(const struct repair *repair, const struct blob_patterns *patterns)
{
    struct download download;
    struct download_options options = *repair->options;
    options.id = repair->manifest.id;
    options.revision = repair->manifest.revision;
    options.store_dir = store_dir(repair->store);
    options.rules = (struct selection_rules){.includes = (const char *const *)patterns->patterns,
                                             .n_includes = patterns->n_patterns,
                                             .allow_pickle = true}; /* as it was */
    options.signature = NULL; /* of single contents; their digests are signed */
    options.force = true;     /* a stamp may say that all is well */
    model_status status = download_begin(&options, &download, repair->err);
    if (status != MODEL_OK)
        return status;
    status = download_transfer(&download, repair->err);
    download_end(&download);
    return status;
}

static model_status fetch(const struct repair *repair)
{
    struct blob_patterns patterns = {0};
    model_status status =
        blob_patterns_make(repair->store, &repair->manifest, false, &patterns, repair->err);
    if (status == MODEL_OK && patterns.n_patterns > 0 && repair->options->offline)
        status = error_set(repair->err, MODELHOST_OFFLINE,
                           "offline, and %s has %zu damaged files that only a hub has; unset "
                           "HF_HUB_OFFLINE to repair it",
                           repair->dir, patterns.n_patterns);
    else if (status == MODEL_OK && patterns.n_patterns > 0)
        status = transfer(repair, &patterns);
    blob_patterns_finish(&patterns);
    return status;
}

static model_status get_file(const struct repair *repair, const struct manifest_file *file)
{
    const struct manifest *manifest = &repair->manifest;
    if (manifest_blob_is_there(repair->store, file))
        return MODEL_OK;
    if (file->source != NULL)
        return error_set(repair->err, MODEL_CORRUPT,
                         "%s: '%.200s' is damaged, and the hub has other bytes of it at %.12s than "
                         "the package was made of (sha256 %s); get the package from where it came "
                         "from: pkgmgr import",
                         manifest->id, file->path, manifest->revision, file->sha256);
    model_status status =
        manifest_blob_search(repair->store, repair->options->plugin_path, file, repair->err);
    if (status == MODEL_OK && !manifest_blob_is_there(repair->store, file))
        status = error_set(repair->err, MODEL_NOT_FOUND,
                           "%s: '%.200s' is damaged and came from no hub; get the package again "
                           "from where it came from (pkgmgr import), or put a plugin that is this "
                           "very file (sha256 %s) on the plugin path",
                           manifest->id, file->path, file->sha256);
    return status;
}

static model_status get_all(const struct repair *repair)
{
    model_status status = fetch(repair);
    for (size_t i = 0; i < repair->manifest.n_files && status == MODEL_OK; i++)
        status = get_file(repair, &repair->manifest.files[i]);
    return status;
}

/* ---- installing */

/* The commit leads to it, and no other name: whoever moved them since meant it. */
static model_status install(struct repair *repair)
{
    struct manifest *manifest = &repair->manifest;
    const struct store_papers papers = {repair->papers.text, repair->papers.signature, NULL};
    char *id = strdup(manifest->id), *revision = strdup(manifest->revision), *dir = NULL;
    if (id == NULL || revision == NULL) {
        free(id);
        free(revision);
        return error_no_memory(repair->err, "a package's manifest");
    }
    free(manifest->requested_id);
    free(manifest->requested_revision);
    manifest->requested_id = id;
    manifest->requested_revision = revision;
    model_status status =
        store_install_signed(repair->store, manifest, &papers, NULL, &dir, repair->err);
    free(dir);
    return status;
}

model_status package_repair(const struct store *store, const char *dir,
                            const struct download_options *options, struct package_repaired *ret,
                            struct model_error *err)
{
    struct repair repair = {.store = store, .options = options, .dir = dir, .err = err};
    model_status status = read_papers(&repair);
    if (status == MODEL_OK)
        status = look_at_all(&repair);
    if (status == MODEL_OK)
        status = get_all(&repair);
    if (status == MODEL_OK)
        status = install(&repair);
    if (status == MODEL_OK)
        *ret = repair.result;
    manifest_finish(&repair.manifest);
    package_papers_finish(&repair.papers);
    return status;
}
