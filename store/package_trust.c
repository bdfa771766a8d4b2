/* package_trust.c - see package_trust.h. */
#include "package_trust.h"
#include "errors.h"
#include "files.h"
#include "package.h"
#include "package_file.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_PATH "metadata.json"

static model_status read_archive(const char *dir, const struct archive *archive,
                                 struct package_papers *papers, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MANIFEST_MAX_BYTES);
    char *path = path_join(dir, MANIFEST_PATH);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = package_file_read(archive, path, MANIFEST_MAX_BYTES, &text, err);
    free(path);
    if (status == MODEL_OK) {
        papers->n_bytes = text.size;
        papers->text = buffer_take(&text);
        status = papers->text != NULL ? MODEL_OK : error_no_memory(err, MANIFEST_PATH);
    }
    buffer_finish(&text);
    if (status != MODEL_OK || archive_signature(archive) == NULL)
        return status;
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
    if (archive == NULL)
        return package_papers_read_folder(dir, ret, err);
    model_status status = read_archive(dir, archive, &papers, err);
    if (status == MODEL_OK)
        *ret = papers;
    else
        package_papers_finish(&papers);
    return status;
}

model_status package_papers_parse(const char *dir, const struct package_papers *papers,
                                  struct manifest *ret, struct model_error *err)
{
    char *path = path_join(dir, MANIFEST_PATH);
    model_status status = path != NULL
                              ? manifest_parse(papers->text, papers->n_bytes, path, ret, err)
                              : error_no_memory(err, "a path");
    package_advise_broken(dir, status, err);
    free(path);
    return status;
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
