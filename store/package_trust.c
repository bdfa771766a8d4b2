/* package_trust.c - see package_trust.h. */
#include "package_trust.h"
#include "errors.h"
#include "files.h"
#include "package_file.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_PATH "metadata.json"

static model_status read_text(const char *dir, const struct archive *archive, const char *name,
                              size_t max_bytes, char **ret, size_t *ret_bytes,
                              struct model_error *err)
{
    struct buffer text = BUFFER_INIT(max_bytes);
    char *path = path_join(dir, name);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = package_file_read(archive, path, max_bytes, &text, err);
    if (status == MODEL_INVALID_ARGUMENT) /* a folder, a pipe */
        status = MODEL_CORRUPT;
    free(path);
    if (status == MODEL_OK) {
        *ret_bytes = text.size;
        *ret = buffer_take(&text);
        status = *ret != NULL ? MODEL_OK : error_no_memory(err, name);
    }
    buffer_finish(&text);
    return status;
}

static model_status read_signature(const char *dir, const struct archive *archive,
                                   struct package_papers *papers, struct model_error *err)
{
    if (archive == NULL) {
        model_status status = read_text(dir, NULL, PACKAGE_SIGNATURE_NAME, SIGNATURE_MAX_BYTES,
                                        &papers->signature, &papers->signature_bytes, err);
        if (status == MODEL_CORRUPT)
            error_advise(err, "get it again from who signed the package");
        return status == MODEL_NOT_FOUND ? MODEL_OK : status;
    }
    if (archive_signature(archive) == NULL)
        return MODEL_OK;
    papers->signature = strdup(archive_signature(archive));
    if (papers->signature == NULL)
        return error_no_memory(err, "a signature");
    papers->signature_bytes = strlen(papers->signature);
    return MODEL_OK;
}

model_status package_papers_read(const char *dir, const struct archive *archive,
                                 struct package_papers *ret, struct model_error *err)
{
    struct package_papers papers = {0};
    model_status status = read_text(dir, archive, MANIFEST_PATH, MANIFEST_MAX_BYTES, &papers.text,
                                    &papers.n_bytes, err);
    if (status == MODEL_OK)
        status = read_signature(dir, archive, &papers, err);
    if (status == MODEL_OK)
        *ret = papers;
    else
        package_papers_finish(&papers);
    return status;
}

void package_papers_finish(struct package_papers *papers)
{
    free(papers->text);
    free(papers->signature);
    *papers = (struct package_papers){0};
}

struct signed_manifest package_papers_signed(const struct package_papers *papers, const char *what,
                                             const struct manifest *manifest)
{
    return (struct signed_manifest){.what = what,
                                    .text = papers->text,
                                    .n_bytes = papers->n_bytes,
                                    .manifest = manifest,
                                    .signature = papers->signature,
                                    .signature_bytes = papers->signature_bytes};
}

model_status package_judge_signature(const char *dir, const struct archive *archive,
                                     const struct trusted_keys *keys, struct signature_report *ret,
                                     struct model_error *err)
{
    struct package_papers papers = {0};
    struct manifest manifest = {0};
    model_status status = package_papers_read(dir, archive, &papers, err);
    if (status == MODEL_OK)
        status = manifest_parse(papers.text, papers.n_bytes, MANIFEST_PATH, &manifest, err);
    if (status == MODEL_OK) {
        const struct signed_manifest papers_signed = package_papers_signed(&papers, dir, &manifest);
        status = package_signature_judge(&papers_signed, keys, ret, err);
    }
    manifest_finish(&manifest);
    package_papers_finish(&papers);
    return status;
}
