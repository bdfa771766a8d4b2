/* convert_package.c - a package with its weights as safetensors of one type; see convert.h. It is made
 * beside its place and appears there by one rename; its metadata.json says the same id and revision, and
 * the digests of what is in it now. Any thread. */
#include "convert.h"
#include "errors.h"
#include "files.h"
#include "model_info.h"
#include "package_build.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKENDS  "backends/"
#define NO_SHA256 "0000000000000000000000000000000000000000000000000000000000000000"

struct copying {
    const char *from, *work;
    const struct convert_options *options;
    struct convert_report *report;
    struct manifest manifest; /* of what is made */
    struct model_error *err;
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* ".bin" says nothing by itself, the other names are those of pickles, whatever is in them. */
static bool is_pickle(const char *path)
{
    static const char *const ends[] = {".pt",   ".pth",    ".pkl",           ".pickle",
                                       ".ckpt", ".joblib", ".bin.index.json"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(path, ends[i]))
            return true;
    return ends_with(path, ".bin") && tensor_file_is_torch(path);
}

/* A file of the weights that are written anew: in a folder of backends/ itself. */
static bool is_weights(const char *path)
{
    const char *name = path_base(path);
    if (strncmp(path, BACKENDS, strlen(BACKENDS)) != 0 || name == path + strlen(BACKENDS) ||
        memchr(path + strlen(BACKENDS), '/', (size_t)(name - path) - strlen(BACKENDS)) != name - 1)
        return false;
    return strcmp(name, WEIGHTS_SINGLE_NAME) == 0 ||
           strcmp(name, WEIGHTS_SINGLE_NAME ".index.json") == 0 ||
           (strncmp(name, "model-", 6) == 0 && ends_with(name, ".safetensors")) ||
           strcmp(name, TORCH_SINGLE_NAME) == 0 || strcmp(name, TORCH_INDEX_NAME) == 0;
}

static model_status make_parent(const char *path, struct model_error *err)
{
    char *folder = text_format("%.*s", (int)(path_base(path) - path), path);
    model_status status =
        folder != NULL ? dir_make_all(folder, err) : error_no_memory(err, "a folder");
    free(folder);
    return status;
}

/* A copy that is what the manifest says, or a failure. */
static model_status copy_file(struct copying *copying, const struct manifest_file *file)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    char *from = path_join(copying->from, file->path), *to = path_join(copying->work, file->path);
    model_status status = from != NULL && to != NULL ? make_parent(to, copying->err)
                                                     : error_no_memory(copying->err, file->path);
    if (status == MODEL_OK && !is_pickle(from)) {
        status = copy_file_hashed(from, to, sha256, &size_bytes, copying->err);
        if (status == MODEL_OK && strcmp(sha256, file->sha256) != 0)
            status = error_set(copying->err, MODEL_CORRUPT,
                               "'%s' of %s is damaged; 'pkgmgr verify' says what else is",
                               file->path, copying->from);
        if (status == MODEL_OK)
            status = manifest_add(&copying->manifest, file->path, file->source, size_bytes, sha256,
                                  copying->err);
    }
    free(to);
    free(from);
    return status;
}

static model_status add_made_file(struct copying *copying, const char *path)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    char *whole = path_join(copying->work, path);
    model_status status = whole != NULL
                              ? digest_file_sha256(whole, sha256, &size_bytes, copying->err)
                              : error_no_memory(copying->err, path);
    if (status == MODEL_OK)
        status = manifest_add(&copying->manifest, path, NULL, size_bytes, sha256, copying->err);
    free(whole);
    return status;
}

/* Converts the weights of a folder of the package into `made`, a path in it, too. */
static model_status convert_folder(struct copying *copying, const char *from, const char *made)
{
    struct tensor_table table = {0};
    bool dry_run = copying->options->dry_run;
    char *to = path_join(copying->work, made);
    model_status status = to != NULL ? MODEL_OK : error_no_memory(copying->err, made);
    if (status == MODEL_OK && !dry_run)
        status = make_parent(to, copying->err);
    if (status == MODEL_OK)
        status = tensor_table_open(from, &table, copying->err);
    if (status == MODEL_OK)
        status = convert_weights(&table, to, copying->options, copying->report, copying->err);
    if (status == MODEL_OK)
        status = dry_run ? manifest_add(&copying->manifest, made, NULL, 0, NO_SHA256, copying->err)
                         : add_made_file(copying, made);
    tensor_table_close(&table);
    free(to);
    return status;
}

/* The weights beside the file at `path`, whichever of them comes first; later ones find it done. */
static model_status convert_beside(struct copying *copying, const char *path)
{
    int folder = (int)(path_base(path) - path);
    char *made = text_format("%.*s" WEIGHTS_SINGLE_NAME, folder, path);
    char *from = text_format("%s/%.*s", copying->from, folder, path);
    model_status status = MODEL_OK;
    if (made == NULL || from == NULL)
        status = error_no_memory(copying->err, path);
    else if (manifest_find(&copying->manifest, made) == NULL)
        status = convert_folder(copying, from, made);
    free(from);
    free(made);
    return status;
}

static model_status write_text(const char *folder, const char *name, char *text,
                               struct model_error *err)
{
    char *path = path_join(folder, name);
    model_status status = text != NULL && path != NULL
                              ? file_write_atomic(path, text, strlen(text), err)
                              : error_no_memory(err, name);
    free(path);
    free(text);
    return status;
}

/* model_info.json counts the new weights; metadata.json comes last. */
static model_status describe(struct copying *copying)
{
    struct package package = {0};
    json_node *info = NULL;
    model_status status = write_text(copying->work, "metadata.json",
                                     manifest_print(&copying->manifest), copying->err);
    if (status == MODEL_OK)
        status = package_open(copying->work, NULL, &package, copying->err);
    if (status == MODEL_OK)
        status = model_info_collect(&package, NULL, &info, copying->err);
    package_finish(&package);
    if (status == MODEL_OK)
        status = write_text(copying->work, PACKAGE_INFO_PATH, json_print(info, true), copying->err);
    json_free(info);
    if (status == MODEL_OK)
        status = add_made_file(copying, PACKAGE_INFO_PATH);
    return status == MODEL_OK ? write_text(copying->work, "metadata.json",
                                           manifest_print(&copying->manifest), copying->err)
                              : status;
}

static model_status take_over(struct manifest *to, const struct manifest *from,
                              struct model_error *err)
{
    *to = (struct manifest){
        .id = text_format("%s", from->id),
        .requested_id = text_format("%s", from->requested_id),
        .requested_revision = text_format("%s", from->requested_revision),
        .revision = text_format("%s", from->revision),
        .endpoint = text_format("%s", from->endpoint),
        .created = text_format("%s", from->created),
    };
    return to->id != NULL && to->requested_id != NULL && to->requested_revision != NULL &&
                   to->revision != NULL && to->endpoint != NULL && to->created != NULL
               ? MODEL_OK
               : error_no_memory(err, "metadata.json");
}

static model_status fill(struct copying *copying)
{
    struct manifest old = {0};
    size_t n_weights = 0;
    model_status status = manifest_read(copying->from, &old, copying->err);
    if (status == MODEL_NOT_FOUND)
        status =
            error_set(copying->err, status,
                      "%s has no metadata.json, and so is no package that can be converted as a "
                      "whole, and no weights beside: give the folder or file that has them, such "
                      "as %s/backends/cpu",
                      copying->from, copying->from);
    package_advise_broken(copying->from, status, copying->err);
    if (status == MODEL_OK)
        status = take_over(&copying->manifest, &old, copying->err);
    for (size_t i = 0; i < old.n_files && status == MODEL_OK; i++) {
        const struct manifest_file *file = &old.files[i];
        n_weights += is_weights(file->path);
        if (is_weights(file->path))
            status = convert_beside(copying, file->path);
        else if (!copying->options->dry_run && strcmp(file->path, PACKAGE_INFO_PATH) != 0)
            status = copy_file(copying, file);
    }
    if (status == MODEL_OK && n_weights == 0)
        status =
            error_set(copying->err, MODEL_NOT_FOUND, "%s has no weights to convert", copying->from);
    if (status == MODEL_OK && !copying->options->dry_run)
        status = describe(copying);
    manifest_finish(&old);
    return status;
}

model_status convert_package(const char *from, const char *to,
                             const struct convert_options *options, struct convert_report *report,
                             struct model_error *err)
{
    struct scratch scratch = SCRATCH_NONE;
    model_status status = MODEL_OK;
    if (access(to, F_OK) == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s is there already; choose another name, or remove it", to);
    if (!options->dry_run) {
        scratch_sweep(to);
        if (path_base(to) != to)
            status = make_parent(to, err);
        if (status == MODEL_OK)
            status = scratch_folder(to, &scratch, err);
    }
    struct copying copying = {.from = from,
                              .work = scratch.path != NULL ? scratch.path : to,
                              .options = options,
                              .report = report,
                              .err = err};
    if (status == MODEL_OK)
        status = fill(&copying);
    if (status == MODEL_OK && !options->dry_run)
        status = scratch_publish(&scratch, to, err);
    scratch_discard(&scratch);
    manifest_finish(&copying.manifest);
    return status;
}
