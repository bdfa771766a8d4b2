/* archive_signature.c - the step of opening an archive that looks at its signature, and at what that is of: the bytes of
 * metadata.json, which is stored as it is and lists what all other entries must be, signed or not. It comes before
 * anything is decrypted or unpacked. */
#include "archive_private.h"
#include "archive_sign.h"
#include "errors.h"
#include "files.h"
#include "package_signature.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_PATH "metadata.json"

static model_status read_signature(struct archive *archive, struct model_error *err)
{
    struct signature_file file = {.trusted_comment = NULL};
    const size_t n_bytes = (size_t)archive->header.signature_bytes; /* checked with the header */
    archive->signature = calloc(1, n_bytes + 1);
    if (archive->signature == NULL)
        return error_no_memory(err, "a signature");
    model_status status = file_read_at(archive->fd, archive->path, archive->signature, n_bytes,
                                       archive_signature_offset(&archive->header), err);
    if (status == MODEL_OK)
        status = signature_file_parse(archive->signature, n_bytes, "what lies there", &file, err);
    if (status == MODEL_CORRUPT || status == MODEL_UNSUPPORTED)
        error_prefix(err, "%s: signature", archive->path);
    signature_file_finish(&file);
    return status;
}

/* Its bytes, which are what their digest says; to be freed. */
static model_status read_manifest(const struct archive *archive, char **ret, size_t *ret_bytes,
                                  struct model_error *err)
{
    char found[SHA256_HEX_BYTES];
    const struct archive_entry *entry = archive_index_find(&archive->index, MANIFEST_PATH);
    if (entry == NULL || entry->method != ARCHIVE_STORED)
        return error_set(err, MODEL_CORRUPT,
                         "%s: signature: there is no " MANIFEST_PATH " stored as it is, which says "
                         "what all entries are; pack the package again",
                         archive->path);
    if (entry->size_bytes > MANIFEST_MAX_BYTES || entry->stored_bytes != entry->size_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "%s: signature: " MANIFEST_PATH " of %llu bytes, want at "
                         "most %u; get the file again",
                         archive->path, (unsigned long long)entry->size_bytes, MANIFEST_MAX_BYTES);
    const size_t n_bytes = (size_t)entry->size_bytes;
    char *text = malloc(n_bytes + 1);
    if (text == NULL)
        return error_no_memory(err, MANIFEST_PATH);
    model_status status =
        file_read_at(archive->fd, archive->path, text, n_bytes, entry->offset, err);
    if (status == MODEL_OK)
        status = digest_bytes_sha256(text, n_bytes, found, err);
    if (status == MODEL_OK && strcmp(found, entry->sha256) != 0)
        status = error_set(err, MODEL_CORRUPT,
                           "%s: signature: " MANIFEST_PATH " has SHA-256 %.12s..., want %.12s...; "
                           "get the file again",
                           archive->path, found, entry->sha256);
    if (status != MODEL_OK) {
        free(text);
        return status;
    }
    *ret = text;
    *ret_bytes = n_bytes;
    return MODEL_OK;
}

/* Why an entry is not what the manifest says, or NULL. */
static const char *entry_problem(const struct manifest *manifest, const struct archive_entry *entry)
{
    const struct manifest_file *file = manifest_find(manifest, entry->path);
    if (strcmp(entry->path, MANIFEST_PATH) == 0)
        return NULL; /* no manifest lists itself */
    if (file == NULL)
        return "not among the files that " MANIFEST_PATH " lists";
    if (file->size_bytes != entry->size_bytes || strcmp(file->sha256, entry->sha256) != 0)
        return "not the file that " MANIFEST_PATH " lists: size or digest is another";
    return NULL;
}

/* Neither more nor fewer files than the manifest lists, and these. */
static model_status check_listed(const struct archive *archive, const struct manifest *manifest,
                                 struct model_error *err)
{
    const struct archive_index *index = &archive->index;
    for (size_t i = 0; i < index->n_entries; i++) {
        const char *problem = entry_problem(manifest, &index->entries[i]);
        if (problem != NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: signature: '%.200s' is %s; get the archive again, or pack the "
                             "package again",
                             archive->path, index->entries[i].path, problem);
    }
    for (size_t i = 0; i < manifest->n_files; i++)
        if (archive_index_find(index, manifest->files[i].path) == NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: signature: '%.200s', which " MANIFEST_PATH " lists, is missing; "
                             "get the archive again",
                             archive->path, manifest->files[i].path);
    return MODEL_OK;
}

static model_status judge(const struct archive *archive, const char *text, size_t n_bytes,
                          struct model_error *err)
{
    struct manifest manifest = {0};
    model_status status = manifest_parse(text, n_bytes, MANIFEST_PATH, &manifest, err);
    if (status != MODEL_OK) {
        error_prefix(err, "%s: signature", archive->path);
        if (status == MODEL_CORRUPT)
            error_advise(err, "get the file again, or have its author pack it anew");
        return status;
    }
    const struct signed_manifest signed_manifest = {
        .what = archive->path,
        .text = text,
        .n_bytes = n_bytes,
        .manifest = &manifest,
        .signature = archive->signature,
        .signature_bytes = (size_t)archive->header.signature_bytes,
    };
    if (archive->policy != NULL)
        status = package_signature_require(&signed_manifest, archive->policy, err);
    if (status == MODEL_OK)
        status = check_listed(archive, &manifest, err);
    manifest_finish(&manifest);
    return status;
}

/* What is known before the manifest is read. */
static model_status check_is_signed(const struct archive *archive, bool has_manifest,
                                    struct model_error *err)
{
    if (archive->policy == NULL || (archive->header.flags & ARCHIVE_SIGNED) != 0)
        return MODEL_OK;
    if (!has_manifest)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s is not signed, and has no " MANIFEST_PATH
                         " to sign; get it signed from its author",
                         archive->path);
    if (archive->policy->keys != NULL)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s is not signed; get it signed from its author, or look through it and "
                         "sign it yourself: pkgmgr sign %s",
                         archive->path, archive->path);
    return MODEL_OK;
}

/* Without a manifest it is an author's own, which nothing is said of. */
model_status archive_check_signature(struct archive *archive, struct model_error *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    const bool is_signed = (archive->header.flags & ARCHIVE_SIGNED) != 0;
    const bool has_manifest = archive_index_find(&archive->index, MANIFEST_PATH) != NULL;
    model_status status = check_is_signed(archive, has_manifest, err);
    if (status == MODEL_OK && is_signed)
        status = read_signature(archive, err);
    if (status != MODEL_OK || (!is_signed && !has_manifest))
        return status;
    status = read_manifest(archive, &text, &n_bytes, err);
    if (status == MODEL_OK)
        status = judge(archive, text, n_bytes, err);
    free(text);
    return status;
}
