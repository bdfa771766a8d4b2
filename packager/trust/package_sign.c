/* package_sign.c - see package_sign.h. */
#include "package_sign.h"
#include "archive_sign.h"
#include "author_manifest.h"
#include "errors.h"
#include "files.h"
#include "package.h"
#include "package_trust.h"
#include "plugin_file.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct package_signing *signing;
    char *dir; /* real */
    struct package_papers papers;
    struct manifest manifest;
    bool made_manifest;
    char *plugin; /* to be warned of; NULL */
    struct model_error *err;
};

/* What "ns/name" a folder means that does not say: its own name. */
static model_status make_manifest(struct work *work)
{
    const struct package_signing *signing = work->signing;
    const char *id = signing->id != NULL ? signing->id : path_base(work->dir);
    char *backends = path_join(work->dir, "backends");
    const bool is_package = backends != NULL && path_is_dir(backends);
    free(backends);
    if (!is_package)
        return error_set(work->err, MODEL_NOT_FOUND,
                         "%s is no package: neither metadata.json nor backends/", work->dir);
    model_status status = author_manifest_make(work->dir, id, signing->revision, signing->now,
                                               &work->manifest, work->err);
    if (status == MODEL_INVALID_ARGUMENT && signing->id == NULL)
        error_advise(work->err, "give the package's id with --name");
    if (status != MODEL_OK)
        return status;
    work->papers.text = manifest_print(&work->manifest);
    if (work->papers.text == NULL)
        return error_no_memory(work->err, "a manifest");
    work->papers.n_bytes = strlen(work->papers.text);
    work->made_manifest = true;
    return MODEL_OK;
}

static model_status parse(struct work *work)
{
    if (work->signing->id != NULL || work->signing->revision != NULL)
        return error_set(work->err, MODEL_INVALID_ARGUMENT,
                         "%s has a metadata.json, which says its id and revision: they are for a "
                         "folder without; remove that file if it is to be made anew",
                         work->dir);
    return manifest_parse(work->papers.text, work->papers.n_bytes, "metadata.json", &work->manifest,
                          work->err);
}

static model_status make_signature(const struct work *work, char **ret)
{
    char *comment = package_signature_comment(&work->manifest, work->signing->now);
    if (comment == NULL)
        return error_no_memory(work->err, "a signature");
    model_status status = signature_file_make(work->signing->key, work->papers.text,
                                              work->papers.n_bytes, true, comment, ret, work->err);
    free(comment);
    return status;
}

/* ---- folders */

static model_status write_paper(const struct work *work, const char *name, const char *text)
{
    char *path = path_join(work->dir, name);
    model_status status = path != NULL ? file_write_atomic(path, text, strlen(text), work->err)
                                       : error_no_memory(work->err, "a path");
    free(path);
    return status;
}

/* Which plugin would run more than what is signed. One that cannot be read is not for a warning. */
static void find_open_plugin(struct work *work)
{
    for (size_t i = 0; i < work->manifest.n_files && work->plugin == NULL; i++) {
        struct plugin_file file;
        char *path = strcmp(path_base(work->manifest.files[i].path), PACKAGE_PLUGIN_NAME) == 0
                         ? path_join(work->dir, work->manifest.files[i].path)
                         : NULL;
        if (path != NULL && plugin_file_read(path, &file, NULL) == MODEL_OK &&
            file.library_places[0] != '\0')
            work->plugin = path;
        else
            free(path);
    }
}

static model_status sign_folder(struct work *work)
{
    char *signature = NULL;
    model_status status = package_papers_read(work->dir, NULL, &work->papers, work->err);
    if (status == MODEL_NOT_FOUND)
        status = make_manifest(work);
    else if (status == MODEL_OK)
        status = parse(work);
    if (status == MODEL_OK && !work->made_manifest)
        status = store_verify_package(work->dir, NULL, NULL, work->err);
    if (status == MODEL_OK)
        status = make_signature(work, &signature);
    if (status == MODEL_OK && work->made_manifest)
        status = write_paper(work, "metadata.json", work->papers.text);
    if (status == MODEL_OK)
        status = write_paper(work, PACKAGE_SIGNATURE_NAME, signature);
    if (status == MODEL_OK)
        find_open_plugin(work);
    free(signature);
    return status;
}

/* ---- archives */

/* Without its key the contents of an encrypted one cannot be looked at; the manifest can. */
static model_status check_contents(const struct work *work, const struct archive *archive)
{
    const struct archive_index *index = archive_index(archive);
    model_status status = archive_check_file(archive, work->err);
    const bool is_encrypted = (archive_header(archive)->flags & ARCHIVE_ENCRYPTED) != 0;
    for (size_t i = 0; i < index->n_entries && status == MODEL_OK && !is_encrypted; i++)
        status = archive_check_entry(archive, &index->entries[i], work->err);
    return status;
}

static model_status read_archive(struct work *work)
{
    struct archive *archive = NULL;
    model_status status = archive_open(work->dir, ARCHIVE_STANDARD, &archive, work->err);
    if (status != MODEL_OK)
        return status;
    status = package_papers_read(work->dir, archive, &work->papers, work->err);
    if (status == MODEL_NOT_FOUND)
        status = error_set(work->err, status,
                           "%s has no metadata.json to sign: sign the folder that it was made of, "
                           "and pack it again",
                           work->dir);
    if (status == MODEL_OK)
        status = parse(work);
    if (status == MODEL_OK)
        status = check_contents(work, archive);
    archive_close(archive);
    return status;
}

static model_status sign_archive(struct work *work)
{
    char *signature = NULL;
    model_status status = read_archive(work);
    if (status == MODEL_OK)
        status = make_signature(work, &signature);
    if (status == MODEL_OK)
        status = archive_sign(work->dir, signature, work->err);
    free(signature);
    return status;
}

model_status package_sign(const struct package_signing *signing, struct package_signed *ret,
                          struct model_error *err)
{
    struct work work = {.signing = signing, .dir = realpath(signing->path, NULL), .err = err};
    if (work.dir == NULL)
        return error_set_errno(err, errno, "cannot open %s", signing->path);
    model_status status = path_is_dir(work.dir) ? sign_folder(&work) : sign_archive(&work);
    if (status == MODEL_OK) {
        *ret = (struct package_signed){.id = work.manifest.id,
                                       .revision = work.manifest.revision,
                                       .n_files = work.manifest.n_files,
                                       .made_manifest = work.made_manifest,
                                       .plugin = work.plugin};
        work.manifest.id = work.manifest.revision = NULL;
    }
    manifest_finish(&work.manifest);
    package_papers_finish(&work.papers);
    free(work.dir);
    return status;
}

void package_signed_finish(struct package_signed *result)
{
    free(result->id);
    free(result->revision);
    free(result->plugin);
    *result = (struct package_signed){0};
}
