/* package_sign.c - see package_sign.h. */
#include "package_sign.h"
#include "archive_sign.h"
#include "author_manifest.h"
#include "errors.h"
#include "files.h"
#include "package.h"
#include "package_members.h"
#include "package_trust.h"
#include "papers_settled.h"
#include "plugin_file.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct package_signing *signing;
    char *dir;      /* real */
    bool is_stored; /* a package of a store */
    struct package_papers papers;
    char *read_text; /* of a manifest that was made anew in place of it; NULL: there was none */
    size_t read_bytes;
    struct manifest manifest;
    bool made_manifest;
    struct signed_changes changes;
    char *plugin; /* to be warned of; NULL */
    struct model_error *err;
};

/* Takes over the manifest that was made of the files. */
static model_status take_manifest(struct work *work, struct manifest *made)
{
    char *text = manifest_print(made);
    if (text == NULL) {
        manifest_finish(made);
        return error_no_memory(work->err, "a manifest");
    }
    manifest_finish(&work->manifest);
    work->read_text = work->papers.text;
    work->read_bytes = work->papers.n_bytes;
    work->manifest = *made;
    work->papers.text = text;
    work->papers.n_bytes = strlen(text);
    work->made_manifest = true;
    return MODEL_OK;
}

/* What "ns/name" a folder means that does not say: its own name. */
static model_status make_manifest(struct work *work)
{
    const struct package_signing *signing = work->signing;
    const char *id = signing->id != NULL ? signing->id : path_base(work->dir);
    struct manifest made = {0};
    char *backends = path_join(work->dir, "backends");
    const bool is_package = backends != NULL && path_is_dir(backends);
    free(backends);
    if (!is_package)
        return error_set(work->err, MODEL_NOT_FOUND,
                         "%s is no package: neither metadata.json nor backends/", work->dir);
    model_status status = author_manifest_make(work->dir, id, signing->revision, signing->now,
                                               signing->log, &made, work->err);
    if (status == MODEL_INVALID_ARGUMENT && signing->id == NULL)
        error_advise(work->err, "give the package's id with --name");
    return status == MODEL_OK ? take_manifest(work, &made) : status;
}

static bool is_named(const struct package_signing *signing)
{
    return signing->id != NULL || signing->revision != NULL;
}

static model_status parse(struct work *work)
{
    const bool may_be_named = work->signing->renew && !work->is_stored && path_is_dir(work->dir);
    if (is_named(work->signing) && !may_be_named)
        return error_set(work->err, MODEL_INVALID_ARGUMENT,
                         "%s has a metadata.json, which says its id and revision: they are for a "
                         "folder without; remove that file if it is to be made anew",
                         work->dir);
    return package_papers_parse(work->dir, &work->papers, &work->manifest, work->err);
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

/* ---- the signature that is there */

static const struct trusted_key *find_trusted(const struct work *work,
                                              const uint8_t id[KEY_ID_BYTES])
{
    return work->signing->keys != NULL ? trusted_keys_find(work->signing->keys, id) : NULL;
}

/* What is known of who made it: the key that signs now, or one of the list; NULL: nothing. */
static const struct public_key *find_key(const struct work *work, const struct signature_file *file,
                                         struct public_key *own)
{
    const struct trusted_key *known = find_trusted(work, file->key_id);
    secret_key_public(work->signing->key, own);
    if (memcmp(own->id, file->key_id, KEY_ID_BYTES) == 0)
        return own;
    return known != NULL ? &known->key : NULL;
}

/* A package has one signature: that of somebody else who is trusted does not go by accident. */
static model_status refuse_other(const struct work *work, const struct signature_file *file,
                                 const struct public_key *own)
{
    char id[KEY_ID_TEXT_BYTES];
    const struct trusted_key *known = find_trusted(work, file->key_id);
    if (known == NULL || known->revoked[0] != '\0' ||
        memcmp(own->id, file->key_id, KEY_ID_BYTES) == 0)
        return MODEL_OK;
    key_id_write(file->key_id, id);
    return error_set(work->err, MODEL_INVALID_ARGUMENT,
                     "%s is signed by the key %s (%.200s) already, and a package has one "
                     "signature; --renew puts yours in its place",
                     work->dir, id, known->comment);
}

static model_status refuse_signature(const struct work *work, const struct signature_file *file,
                                     enum signature_fit fit)
{
    char id[KEY_ID_TEXT_BYTES];
    key_id_write(file->key_id, id);
    if (fit == SIGNATURE_DAMAGED)
        return error_set(work->err, MODELHOST_UNTRUSTED,
                         "%s: the signature that is there is bad: the key %s has not made it so; "
                         "look through the package, then --renew signs it anew, or get it again",
                         work->dir, id);
    return error_set(work->err, MODELHOST_UNTRUSTED,
                     "%s: metadata.json was changed since the key %s signed it; if the change is "
                     "yours, --renew signs it as it is now, else get the package again",
                     work->dir, id);
}

/* What it signs nobody here would take. */
static model_status check_key(const struct work *work)
{
    struct public_key own;
    char id[KEY_ID_TEXT_BYTES];
    secret_key_public(work->signing->key, &own);
    const struct trusted_key *known = find_trusted(work, own.id);
    if (known == NULL || known->revoked[0] == '\0')
        return MODEL_OK;
    key_id_write(own.id, id);
    return error_set(
        work->err, MODELHOST_UNTRUSTED,
        "the key %s was revoked on %s, so its signatures are refused; make another one with "
        "'pkgmgr keys new'",
        id, known->revoked);
}

/* What nobody here can judge, by a key that is not known, is replaced without a word. */
static model_status check_signature(struct work *work)
{
    struct signature_file file = {.trusted_comment = NULL};
    struct public_key own;
    if (work->papers.signature == NULL)
        return MODEL_OK;
    model_status status = signature_file_parse(work->papers.signature, work->papers.signature_bytes,
                                               PACKAGE_SIGNATURE_NAME, &file, work->err);
    const bool is_none = status == MODEL_CORRUPT || status == MODEL_UNSUPPORTED;
    if (is_none && !work->signing->renew)
        error_advise(work->err, "look through the package, then --renew signs it anew");
    if (status != MODEL_OK)
        return is_none && work->signing->renew
                   ? signed_changes_add(&work->changes, SIGNED_CHANGED, PACKAGE_SIGNATURE_NAME,
                                        work->err)
                   : status;
    const struct public_key *key = find_key(work, &file, &own);
    const enum signature_fit fit =
        key != NULL ? signature_file_fit(&file, key, work->papers.text, work->papers.n_bytes)
                    : SIGNATURE_FITS;
    if (fit == SIGNATURE_FITS)
        status = work->signing->renew ? MODEL_OK : refuse_other(work, &file, &own);
    else if (!work->signing->renew)
        status = refuse_signature(work, &file, fit);
    else
        status = signed_changes_add(
            &work->changes, SIGNED_CHANGED,
            fit == SIGNATURE_DAMAGED ? PACKAGE_SIGNATURE_NAME : "metadata.json", work->err);
    signature_file_finish(&file);
    return status;
}

/* ---- folders */

static bool are_plugins(const struct signed_changes *changes)
{
    for (size_t i = 0; i < changes->n_changes; i++)
        if (!package_is_plugin_path(changes->changes[i].path))
            return false;
    return changes->n_changes > 0;
}

static model_status refuse_changes(const struct work *work, const struct signed_changes *changes)
{
    const char *remedy = are_plugins(changes)
                             ? "if 'pkgmgr install' was interrupted, install the plugin once more; "
                             : "";
    char *text = signed_changes_text(changes);
    if (text == NULL)
        return error_no_memory(work->err, "a list of files");
    model_status status = error_set(
        work->err, MODEL_CORRUPT,
        "%s was changed since it was %s: %s; %sif that is yours, --renew signs it as it is "
        "now, else get the package again",
        work->dir, work->papers.signature != NULL ? "signed" : "made", text, remedy);
    free(text);
    return status;
}

/* The files are not those of the manifest, or it is to get another name. */
static model_status renew_manifest(struct work *work)
{
    const struct package_signing *signing = work->signing;
    struct manifest made = {0};
    struct signed_changes changes = {0};
    model_status status =
        author_manifest_make(work->dir, signing->id != NULL ? signing->id : work->manifest.id,
                             signing->revision, signing->now, signing->log, &made, work->err);
    if (status != MODEL_OK)
        return status;
    status = signed_changes_find(&work->manifest, &made, &changes, work->err);
    if (status == MODEL_OK && changes.n_changes == 0 && !is_named(signing))
        status = store_verify_manifest(work->dir, &work->manifest, NULL, NULL,
                                       work->err); /* what it is then */
    else if (status == MODEL_OK && !signing->renew) {
        status = papers_check_settled(work->dir, signing->wait, &work->papers, &made, work->err);
        status = status == MODEL_OK ? refuse_changes(work, &changes) : status;
    }
    if (status != MODEL_OK || !signing->renew) {
        manifest_finish(&made);
        signed_changes_finish(&changes);
        return status;
    }
    signed_changes_finish(&work->changes);
    work->changes = changes;
    return take_manifest(work, &made);
}

/* Against the bytes that are signed: the file may be another one by now. */
static model_status check_files(struct work *work)
{
    model_status status = store_verify_manifest(work->dir, &work->manifest, NULL, NULL, work->err);
    if (work->is_stored)
        return status;
    return status == MODEL_CORRUPT || (status == MODEL_OK && is_named(work->signing))
               ? renew_manifest(work)
               : status;
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

/* What can be no signature at all (too large, no file) is a bad one. */
static model_status read_folder(struct work *work)
{
    struct package_papers any = {0};
    model_status status = package_papers_read_folder(work->dir, &work->papers, work->err);
    if (status != MODEL_CORRUPT || package_papers_read_any(work->dir, &any, NULL) != MODEL_OK)
        return status;
    if (work->signing->renew) {
        work->papers = any;
        return MODEL_OK;
    }
    error_advise(work->err, "or look through the package, then --renew signs it anew");
    package_papers_finish(&any);
    return status;
}

/* In place of those that were read and judged, and of no others. */
static model_status write_papers(const struct work *work, const char *signature)
{
    struct package_papers was = work->papers;
    if (work->made_manifest) {
        was.text = work->read_text;
        was.n_bytes = work->read_bytes;
    }
    return package_papers_write(work->dir, work->signing->wait, &was, work->papers.text, signature,
                                work->err);
}

static model_status sign_folder(struct work *work)
{
    char *signature = NULL;
    package_papers_settle(work->dir);
    model_status status = read_folder(work);
    if (status == MODEL_NOT_FOUND)
        status = make_manifest(work);
    else if (status == MODEL_OK)
        status = parse(work);
    if (status == MODEL_OK && !work->made_manifest)
        status = check_signature(work);
    if (status == MODEL_OK && !work->made_manifest)
        status = check_files(work);
    if (status == MODEL_OK)
        status = make_signature(work, &signature);
    if (status == MODEL_OK)
        status = write_papers(work, signature);
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
        status = check_signature(work);
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
    char *stored_id = package_id_of_folder(work.dir);
    work.is_stored = stored_id != NULL;
    free(stored_id);
    model_status status = check_key(&work);
    if (status == MODEL_OK)
        status = path_is_dir(work.dir) ? sign_folder(&work) : sign_archive(&work);
    if (status == MODEL_OK) {
        *ret = (struct package_signed){.id = work.manifest.id,
                                       .revision = work.manifest.revision,
                                       .n_files = work.manifest.n_files,
                                       .made_manifest = work.made_manifest,
                                       .changes = work.changes,
                                       .plugin = work.plugin};
        work.manifest.id = work.manifest.revision = NULL;
        work.changes = (struct signed_changes){0};
    }
    signed_changes_finish(&work.changes);
    manifest_finish(&work.manifest);
    package_papers_finish(&work.papers);
    free(work.read_text);
    free(work.dir);
    return status;
}

void package_signed_finish(struct package_signed *result)
{
    free(result->id);
    free(result->revision);
    free(result->plugin);
    signed_changes_finish(&result->changes);
    *result = (struct package_signed){0};
}
