/* package_adopt.c - see package_adopt.h. A folder is read as if it were an archive of what its manifest lists. */
#include "package_adopt.h"
#include "archive_format.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "package_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adopting {
    const struct store *store;
    const struct package_adoption *adoption;
    char *dir; /* real */
    struct package_papers papers;
    struct manifest manifest;
    const struct archive *archive;
    struct archive *folder; /* what is to be closed of it */
    char *staging;
    char *led_dir; /* where the name led that it gets; NULL: nowhere */
    struct signature_report led;
    struct model_error *err;
};

/* By its name or its first bytes: one that is damaged has either. */
static bool is_archive(const char *path)
{
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    const char *extension = strrchr(path_base(path), '.');
    if (!path_is_file(path))
        return false;
    if (extension != NULL && strcmp(extension, ".mhp") == 0)
        return true;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;
    if (fd >= 0)
        (void)close(fd);
    return n > 0 && archive_has_magic(bytes, (size_t)n);
}

bool package_is_adoptable(const char *path)
{
    char *manifest = path_join(path, "metadata.json"), *backends = path_join(path, "backends");
    const bool is_package =
        !coreml_is_model_path(path) && /* a compiled model has a metadata.json, too */
        (is_archive(path) ||
         (manifest != NULL && backends != NULL && path_is_file(manifest) && path_is_dir(backends)));
    free(manifest);
    free(backends);
    return is_package;
}

static model_status open_folder(struct adopting *adopting)
{
    const struct signed_manifest papers_signed =
        package_papers_signed(&adopting->papers, adopting->dir, &adopting->manifest);
    model_status status = adopting->adoption->signature != NULL
                              ? package_signature_require(
                                    &papers_signed, adopting->adoption->signature, adopting->err)
                              : MODEL_OK;
    if (status == MODEL_OK)
        status = archive_open_folder(adopting->dir, &adopting->manifest, ARCHIVE_STANDARD,
                                     &adopting->folder, adopting->err);
    adopting->archive = adopting->folder;
    return status;
}

static model_status read_papers(struct adopting *adopting)
{
    struct model_error *err = adopting->err;
    adopting->archive = adopting->adoption->archive;
    adopting->dir = realpath(adopting->adoption->path, NULL);
    if (adopting->dir == NULL)
        return error_set_errno(err, errno, "cannot open %s", adopting->adoption->path);
    model_status status =
        package_papers_read(adopting->dir, adopting->archive, &adopting->papers, err);
    if (status == MODEL_NOT_FOUND)
        return error_set(
            err, status,
            "%s has no metadata.json, by which its files could be told; unpack it, and "
            "import the folder's models, or sign it",
            adopting->dir);
    if (status == MODEL_OK)
        status = package_papers_parse(adopting->dir, &adopting->papers, &adopting->manifest, err);
    if (status != MODEL_OK)
        return status;
    /* an archive as a whole: its padding is no entry's */
    return adopting->archive == NULL ? open_folder(adopting)
                                     : archive_check_file(adopting->archive, err);
}

/* Names it in this store: by its own id only, whatever it says it was asked by. */
static model_status name_manifest(struct adopting *adopting)
{
    const char *revision = adopting->adoption->revision;
    char *id = strdup(adopting->manifest.id), *asked = strdup(revision != NULL ? revision : "main");
    if (id == NULL || asked == NULL) {
        free(id);
        free(asked);
        return error_no_memory(adopting->err, "a manifest");
    }
    free(adopting->manifest.requested_id);
    free(adopting->manifest.requested_revision);
    adopting->manifest.requested_id = id;
    adopting->manifest.requested_revision = asked;
    return MODEL_OK;
}

static model_status copy(const struct archive *archive, const struct archive_entry *entry,
                         const char *path, struct model_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s", path);
    model_status status = archive_unpack(archive, entry, fd, path, err);
    if (status == MODEL_OK && fsync(fd) != 0)
        status = error_set_errno(err, errno, "cannot sync %s", path);
    (void)close(fd);
    return status;
}

static model_status take_file(struct adopting *adopting, const struct manifest_file *file)
{
    struct model_error *err = adopting->err;
    if (store_blob_is_good(adopting->store, file->sha256, file->size_bytes))
        return MODEL_OK;
    const struct archive_entry *entry = archive_find(adopting->archive, file->path);
    if (entry == NULL || strcmp(entry->sha256, file->sha256) != 0)
        return error_set(
            err, MODEL_CORRUPT,
            "%s: '%.200s' is not the file that metadata.json lists, or is missing; get "
            "the package again",
            adopting->dir, file->path);
    char *path = path_join(adopting->staging, "adopted");
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = copy(adopting->archive, entry, path, err);
    if (status == MODEL_OK)
        status = store_add_blob(adopting->store, path, file->sha256, err);
    free(path);
    return status;
}

static model_status take(struct adopting *adopting, struct package_imported *result)
{
    const struct manifest *manifest = &adopting->manifest;
    const struct package_papers *papers = &adopting->papers;
    const struct store_papers store_papers = {papers->text, papers->signature,
                                              adopting->adoption->keys};
    model_status status = store_make_staging(adopting->store, &adopting->staging, adopting->err);
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        status = take_file(adopting, &manifest->files[i]);
        result->size_bytes += manifest->files[i].size_bytes;
    }
    if (status == MODEL_OK)
        status = store_install_signed(adopting->store, manifest, &store_papers, &result->note,
                                      &result->dir, adopting->err);
    result->n_files = manifest->n_files;
    result->id = strdup(manifest->id);
    result->revision = strdup(manifest->revision);
    if (status == MODEL_OK && (result->id == NULL || result->revision == NULL))
        status = error_no_memory(adopting->err, "the result");
    return status;
}

/* ---- the name that it gets */

static bool is_signed(const struct signature_report *report)
{
    return report->state == SIGNATURE_GOOD || report->state == SIGNATURE_UNKNOWN_KEY;
}

static model_status judge(const struct adopting *adopting, const char *dir,
                          struct signature_report *ret)
{
    static const struct trusted_keys none;
    const struct trusted_keys *keys = adopting->adoption->keys;
    return package_judge_signature(dir, NULL, keys != NULL ? keys : &none, ret, NULL);
}

/* What cannot be read was not signed. */
static void find_led(struct adopting *adopting)
{
    char *name = text_format("%s@%s", adopting->manifest.id, adopting->manifest.requested_revision);
    if (name == NULL || store_find(adopting->store, name, &adopting->led_dir, NULL) != MODEL_OK ||
        judge(adopting, adopting->led_dir, &adopting->led) != MODEL_OK)
        adopting->led.state = SIGNATURE_NONE;
    free(name);
}

/* "'main' of acme/m led to other files of the same commit 0123456789ab (from https://hub, not signed), ..." */
static char *move_text(const struct adopting *adopting, const struct manifest *led,
                       const struct signature_report *now, const struct package_imported *result)
{
    char *was = signature_report_text(&adopting->led), *is = signature_report_text(now),
         *text = NULL;
    const char *ref = adopting->manifest.requested_revision;
    if (was != NULL && is != NULL && strcmp(led->revision, result->revision) == 0)
        text = text_format("'%s' of %s led to other files of the same commit %.12s (%s%s%s%s), and "
                           "leads to these now, which are %s",
                           ref, adopting->manifest.id, led->revision,
                           led->endpoint[0] != '\0' ? "from " : "", led->endpoint,
                           led->endpoint[0] != '\0' ? ", " : "", was, is);
    else if (was != NULL && is != NULL)
        text = text_format("'%s' of %s led to %.12s, %s, and leads to %.12s now, which is %s", ref,
                           adopting->manifest.id, led->revision, was, result->revision, is);
    free(was);
    free(is);
    return text;
}

/* Other contents under the name of what somebody signed, or of the very commit: not by accident. */
static void tell_of_move(const struct adopting *adopting, struct package_imported *result)
{
    struct signature_report now = {.state = SIGNATURE_NONE};
    struct manifest led = {0};
    if (result->note != NULL || adopting->led_dir == NULL ||
        strcmp(adopting->led_dir, result->dir) == 0 ||
        judge(adopting, result->dir, &now) != MODEL_OK)
        return;
    const bool is_same_signer =
        now.state == adopting->led.state && strcmp(now.key_id, adopting->led.key_id) == 0;
    if (manifest_read(adopting->led_dir, &led, NULL) == MODEL_OK &&
        (strcmp(led.revision, result->revision) == 0 ||
         (is_signed(&adopting->led) && !is_same_signer)))
        result->note = move_text(adopting, &led, &now, result);
    manifest_finish(&led);
    signature_report_finish(&now);
}

model_status package_adopt(const struct store *store, const struct package_adoption *adoption,
                           struct package_imported *ret, struct model_error *err)
{
    struct adopting adopting = {.store = store, .adoption = adoption, .err = err};
    struct package_imported result = {0};
    model_status status = read_papers(&adopting);
    if (status == MODEL_OK)
        status = name_manifest(&adopting);
    if (status == MODEL_OK)
        find_led(&adopting);
    if (status == MODEL_OK)
        status = take(&adopting, &result);
    if (status == MODEL_OK)
        tell_of_move(&adopting, &result);
    store_end_staging(store, adopting.staging);
    archive_close(adopting.folder);
    manifest_finish(&adopting.manifest);
    package_papers_finish(&adopting.papers);
    signature_report_finish(&adopting.led);
    free(adopting.led_dir);
    free(adopting.dir);
    if (status == MODEL_OK)
        *ret = result;
    else
        package_imported_finish(&result);
    return status;
}
