/* package_pack.c - see package_pack.h. */
#include "package_pack.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"
#include "package.h"
#include "package_members.h"
#include "package_trust.h"
#include "printable_text.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH     64
#define MANIFEST_PATH "metadata.json"

struct collection {
    const char *dir;                 /* real */
    const struct manifest *manifest; /* NULL: there is none */
    struct archive_source *sources;  /* (n_sources) */
    size_t n_sources, capacity;
    size_t n_listed;              /* of the manifest's files */
    struct package_papers papers; /* of a package with a manifest */
    const struct pack_signature *signature;
    char manifest_sha256[SHA256_HEX_BYTES];
};

/* Takes both texts over. */
static model_status add(struct collection *collection, char *path, char *file,
                        struct model_error *err)
{
    if (collection->n_sources == collection->capacity) {
        const size_t capacity = collection->capacity > 0 ? collection->capacity * 2 : 64;
        void *grown = realloc(collection->sources, capacity * sizeof *collection->sources);
        if (grown == NULL || collection->n_sources >= ARCHIVE_MAX_ENTRIES) {
            collection->sources = grown != NULL ? grown : collection->sources;
            free(path);
            free(file);
            return grown == NULL
                       ? error_no_memory(err, collection->dir)
                       : error_set(err, MODEL_INVALID_ARGUMENT, "%s has more than %d files",
                                   collection->dir, ARCHIVE_MAX_ENTRIES);
        }
        collection->sources = grown;
        collection->capacity = capacity;
    }
    const struct manifest_file *listed =
        collection->manifest != NULL ? manifest_find(collection->manifest, path) : NULL;
    const bool is_manifest = collection->manifest != NULL && strcmp(path, MANIFEST_PATH) == 0;
    collection->n_listed += listed != NULL;
    collection->sources[collection->n_sources++] =
        (struct archive_source){path, file,
                                listed != NULL ? listed->sha256
                                : is_manifest  ? collection->manifest_sha256
                                               : NULL};
    return MODEL_OK;
}

/* An archive with a manifest holds what that lists and nothing else, or nobody opens it. */
static model_status check_listed(const struct collection *collection, const char *path,
                                 struct model_error *err)
{
    if (collection->manifest == NULL || strcmp(path, MANIFEST_PATH) == 0 ||
        manifest_find(collection->manifest, path) != NULL)
        return MODEL_OK;
    if (collection->papers.signature == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "'%.200s' is in %s, but not in its metadata.json; remove it, or let "
                         "'pkgmgr install' add it if it is a plugin",
                         path, collection->dir);
    return error_set(err, MODEL_CORRUPT,
                     "'%.200s' is in %s, which is signed, but not in its metadata.json; remove it, "
                     "or 'pkgmgr sign --renew' signs it, too",
                     path, collection->dir);
}

static bool is_below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* What no manifest lists must be the folder's own: a link in what somebody else gave away may lead to anything
 * of the user's, who would pass it on. */
static model_status check_own(const struct collection *collection, const char *file,
                              struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES], to[PRINTABLE_TEXT_BYTES];
    if (collection->manifest != NULL)
        return MODEL_OK; /* compared with the digest that it lists */
    char *real = realpath(file, NULL);
    model_status status = MODEL_OK;
    if (real == NULL)
        status = error_set_errno(err, errno, "cannot read %s", printable(file, shown));
    else if (!is_below(real, collection->dir))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s links out of the folder, to %s; put the file itself there",
                           printable(file, shown), printable(real, to));
    free(real);
    return status;
}

/* An archive within the package would be a part of the next one. */
static model_status check_target(const char *dir, const char *target, struct model_error *err)
{
    char *folder = path_base(target) == target
                       ? text_format(".")
                       : text_format("%.*s", (int)(path_base(target) - target), target);
    char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    const bool is_within = real != NULL && (strcmp(real, dir) == 0 || is_below(real, dir));
    free(real);
    free(folder);
    return is_within ? error_set(err, MODEL_INVALID_ARGUMENT,
                                 "%s lies in the package that it is to hold; give another place "
                                 "with -o",
                                 target)
                     : MODEL_OK;
}

static model_status collect(struct collection *collection, const char *folder, int depth,
                            struct model_error *err);

static model_status visit(struct collection *collection, const char *folder, const char *name,
                          int depth, struct model_error *err)
{
    char *path = folder[0] != '\0' ? path_join(folder, name) : text_format("%s", name);
    char *file = path != NULL ? path_join(collection->dir, path) : NULL;
    char shown[PRINTABLE_TEXT_BYTES];
    model_status status = MODEL_OK;
    if (file == NULL)
        status = error_no_memory(err, collection->dir);
    else if ((status = check_own(collection, file, err)) != MODEL_OK)
        ;
    else if (path_is_dir(file))
        status = collect(collection, path, depth + 1, err);
    else if (!path_is_safe(path))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s cannot be packed: other systems do not know such names; rename it",
                           printable(file, shown));
    else if ((status = check_listed(collection, path, err)) == MODEL_OK)
        return add(collection, path, file, err);
    free(path);
    free(file);
    return status;
}

/* `folder` in the package; "" is the package. */
static model_status collect(struct collection *collection, const char *folder, int depth,
                            struct model_error *err)
{
    struct dir_list list = {0};
    char *path = path_join(collection->dir, folder);
    if (path == NULL)
        return error_no_memory(err, collection->dir);
    model_status status = depth < MAX_DEPTH
                              ? dir_read(path, &list, err)
                              : error_set(err, MODEL_INVALID_ARGUMENT,
                                          "%s: folders are more than %d deep", path, MAX_DEPTH);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *member = path_join(folder, list.names[i]);
        if (member == NULL)
            status = error_no_memory(err, collection->dir);
        else if (package_keeps_name(member))
            status = package_check_kept(collection->dir, member, err);
        if (status == MODEL_OK && (package_member_of(member) == PACKAGE_MEMBER_FILE ||
                                   strcmp(member, MANIFEST_PATH) == 0))
            status = visit(collection, folder, list.names[i], depth, err);
        free(member);
    }
    dir_list_finish(&list);
    free(path);
    return status;
}

/* The first file that is listed and not there. */
static model_status say_missing(const struct collection *collection, struct model_error *err)
{
    for (size_t i = 0; i < collection->manifest->n_files; i++) {
        const char *path = collection->manifest->files[i].path;
        char *file = path_join(collection->dir, path);
        const bool is_there = file != NULL && path_is_file(file);
        free(file);
        if (!is_there)
            return error_set(err, MODEL_CORRUPT,
                             "%s lacks '%.200s', which its metadata.json lists; 'pkgmgr download "
                             "%s --force' gets it again",
                             collection->dir, path, collection->manifest->id);
    }
    return error_set(
        err, MODEL_CORRUPT,
        "%s: metadata.json lists files whose names begin with '.'; they are not packed",
        collection->dir);
}

/* What is packed with it must be a signature, or nobody could open the archive. */
static model_status check_form(const struct package_papers *papers, struct model_error *err)
{
    struct signature_file file = {.trusted_comment = NULL};
    model_status status = signature_file_parse(papers->signature, papers->signature_bytes,
                                               PACKAGE_SIGNATURE_NAME, &file, err);
    signature_file_finish(&file);
    if (status == MODEL_OK && strlen(papers->signature) != papers->signature_bytes)
        status = error_set(err, MODEL_CORRUPT, PACKAGE_SIGNATURE_NAME " has a zero byte in it");
    return status;
}

/* What would be refused wherever it is opened is not packed. */
static model_status check_fit(const struct collection *collection, struct model_error *err)
{
    struct signature_report report = {.signer = NULL};
    const struct signed_manifest papers_signed =
        package_papers_signed(&collection->papers, collection->dir, collection->manifest);
    model_status status =
        package_signature_judge(&papers_signed, collection->signature->keys, &report, err);
    if (status != MODEL_OK)
        return status;
    if (report.state != SIGNATURE_GOOD && report.state != SIGNATURE_UNKNOWN_KEY)
        status = error_set(err, MODELHOST_UNTRUSTED, "%s", report.sentence.message);
    signature_report_finish(&report);
    return status;
}

static model_status check_signature(const struct collection *collection, struct model_error *err)
{
    model_status status = check_form(&collection->papers, err);
    if (status == MODEL_OK)
        status = check_fit(collection, err);
    if (status == MODEL_CORRUPT || status == MODEL_UNSUPPORTED || status == MODELHOST_UNTRUSTED)
        error_advise(err, "--without-signature packs it without");
    return status;
}

static model_status take_papers(struct collection *collection, struct model_error *err)
{
    struct package_papers *papers = &collection->papers;
    model_status status = package_papers_read(collection->dir, NULL, papers, err);
    if (status == MODEL_OK && collection->signature->is_left_out) {
        free(papers->signature);
        papers->signature = NULL;
    }
    if (status == MODEL_OK && papers->signature != NULL)
        status = check_signature(collection, err);
    return status == MODEL_OK ? digest_bytes_sha256(papers->text, papers->n_bytes,
                                                    collection->manifest_sha256, err)
                              : status;
}

static void finish(struct collection *collection)
{
    for (size_t i = 0; i < collection->n_sources; i++) {
        free((char *)(uintptr_t)collection->sources[i].path);
        free((char *)(uintptr_t)collection->sources[i].file);
    }
    free(collection->sources);
    package_papers_finish(&collection->papers);
}

/* A file that is not the one of the manifest: by whom it may have been changed, if that is signed. */
static void advise_changed(const struct package *package, struct model_error *err)
{
    char *id = package_id_of_folder(package->dir);
    if (!store_package_is_signed(package->dir))
        error_advise(err, "get the package again, or make its metadata.json anew");
    else if (id != NULL)
        error_advise(
            err, "it was changed since it was signed: 'pkgmgr verify --repair %s' mends it", id);
    else
        error_advise(err, "it was changed since it was signed: get it again, or 'pkgmgr sign "
                          "--renew' signs the package as it is now if that is yours");
    free(id);
}

model_status package_pack(const char *dir, const char *target,
                          const struct pack_signature *signature,
                          const struct archive_options *options, struct archive_summary *ret,
                          struct model_error *err)
{
    struct collection collection = {.signature = signature};
    struct archive_options with_signature = *options;
    struct package package = {0};
    model_status status = package_open(dir, NULL, &package, err);
    if (status == MODEL_OK && package.archive != NULL)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%s is an archive already", dir);
    if (status == MODEL_OK)
        status = check_target(package.dir, target, err);
    collection.dir = package.dir;
    if (status == MODEL_OK && package.has_manifest)
        collection.manifest = &package.manifest;
    if (status == MODEL_OK && package.has_manifest)
        status = take_papers(&collection, err);
    if (status == MODEL_OK)
        status = collect(&collection, "", 0, err);
    with_signature.signature = collection.papers.signature;
    if (status == MODEL_OK && collection.manifest != NULL &&
        collection.n_listed != collection.manifest->n_files)
        status = say_missing(&collection, err);
    if (status == MODEL_OK) {
        status = archive_write(target, collection.sources, collection.n_sources, &with_signature,
                               ret, err);
        if (status == MODEL_CORRUPT)
            advise_changed(&package, err);
    }
    finish(&collection);
    package_finish(&package);
    return status;
}
