/* lockfile.c - see lockfile.h. Each package is read and checked as a metadata.json is. */
#include "lockfile.h"
#include "errors.h"
#include "files.h"
#include "hub.h"
#include "hub_headers.h"
#include "json_view.h"
#include "printable_text.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REF_BYTES 200
#define COMMIT_DIGITS (HUB_COMMIT_BYTES - 1)

static void finish_package(struct locked_package *package)
{
    manifest_finish(&package->manifest);
    for (size_t i = 0; i < package->n_refs; i++)
        free(package->refs[i]);
    free(package->refs);
    *package = (struct locked_package){0};
}

/* Takes the package over, also on failure. */
static model_status append(struct lockfile *lockfile, struct locked_package *package,
                           struct model_error *err)
{
    void *larger =
        realloc(lockfile->packages, (lockfile->n_packages + 1) * sizeof *lockfile->packages);
    if (larger == NULL) {
        finish_package(package);
        return error_no_memory(err, "a lockfile");
    }
    lockfile->packages = larger;
    lockfile->packages[lockfile->n_packages++] = *package;
    return MODEL_OK;
}

/* ---- writing */

/* Without what differs from store to store: times, the name that somebody asked by. */
static bool forget(char **text)
{
    free(*text);
    *text = text_format("%s", "");
    return *text != NULL;
}

static bool has_hub_files(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        if (manifest->files[i].source != NULL)
            return true;
    return false;
}

static void leave_out_local(struct manifest *manifest)
{
    size_t kept = 0;
    for (size_t i = 0; i < manifest->n_files; i++) {
        if (manifest->files[i].source != NULL)
            manifest->files[kept++] = manifest->files[i];
        else
            free(manifest->files[i].path);
    }
    manifest->n_files = kept;
}

model_status lockfile_add(struct lockfile *lockfile, const struct store_entry *entry, bool hub_only,
                          const struct trusted_keys *keys, struct model_error *err)
{
    struct locked_package package = {0};
    model_status status = locked_signer_find(entry->dir, keys, &package.signer, err);
    if (status == MODEL_OK)
        status = manifest_read(entry->dir, &package.manifest, err);
    if (status != MODEL_OK)
        return status;
    if (hub_only && !has_hub_files(&package.manifest)) {
        status =
            error_set(err, MODEL_INVALID_ARGUMENT,
                      "no file of %s@%.12s came from a hub, so that none is left to lock; lock "
                      "without --hub-only, or name the packages to lock",
                      package.manifest.id, package.manifest.revision);
        finish_package(&package);
        return status;
    }
    if (hub_only)
        leave_out_local(&package.manifest);
    package.refs = calloc(entry->n_refs + 1, sizeof *package.refs);
    bool good = package.refs != NULL && forget(&package.manifest.created) &&
                forget(&package.manifest.requested_id) &&
                forget(&package.manifest.requested_revision);
    for (size_t i = 0; i < entry->n_refs && good; i++) {
        package.refs[i] = text_format("%s", entry->refs[i]);
        good = package.refs[i] != NULL;
        package.n_refs += good;
    }
    if (!good) {
        finish_package(&package);
        return error_no_memory(err, "a lockfile");
    }
    return append(lockfile, &package, err);
}

static int compare_packages(const void *a, const void *b)
{
    const struct locked_package *x = a, *y = b;
    int order = strcmp(x->manifest.id, y->manifest.id);
    if (order == 0)
        order = strcmp(x->manifest.revision, y->manifest.revision);
    return order;
}

static int compare_refs(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool print_package(json_node *array, struct locked_package *package)
{
    json_node *item = NULL;
    char *text = manifest_print(&package->manifest);
    bool good =
        text != NULL && json_parse(text, strlen(text), "a package", &item, NULL) == MODEL_OK;
    free(text);
    if (!good)
        return false;
    json_node *refs = json_add_array(item, "refs");
    if (package->n_refs > 1)
        qsort(package->refs, package->n_refs, sizeof *package->refs, compare_refs);
    for (size_t i = 0; i < package->n_refs; i++)
        good = json_add_string(refs, NULL, package->refs[i]) != NULL && good;
    good = locked_signer_print(item, &package->signer) && good;
    return json_add_tree(array, NULL, item) != NULL && good;
}

char *lockfile_print(struct lockfile *lockfile)
{
    json_node *root = json_new_object();
    bool good = json_add_number(root, "lock_version", LOCKFILE_VERSION) != NULL;
    json_node *array = json_add_array(root, "packages");
    if (lockfile->n_packages > 1)
        qsort(lockfile->packages, lockfile->n_packages, sizeof *lockfile->packages,
              compare_packages);
    for (size_t i = 0; i < lockfile->n_packages && good; i++)
        good = array != NULL && print_package(array, &lockfile->packages[i]);
    char *text = good ? json_print(root, true) : NULL;
    json_free(root);
    return text;
}

/* ---- reading */

static bool is_commit(const char *text)
{
    return strlen(text) == COMMIT_DIGITS && hub_is_hex(text, COMMIT_DIGITS);
}

/* What git allows as a name, which never reads as a step up or as another's commit. */
static bool ref_is_good(const char *ref, const char *revision)
{
    return ref != NULL && strlen(ref) <= MAX_REF_BYTES && path_is_safe(ref) &&
           (!is_commit(ref) || strcmp(ref, revision) == 0);
}

/* What a hub is asked by and refs are named by. The author of a package that came from no hub chooses freely. */
static model_status check_revision(const struct manifest *manifest, const char *what,
                                   struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    const bool is_authors = !has_hub_files(manifest) && path_is_safe(manifest->revision);
    if (is_authors || is_commit(manifest->revision))
        return MODEL_OK;
    return error_set(
        err, MODEL_CORRUPT,
        "%s: the revision '%s' of %s is no commit; want %d hexadecimal digits: lock it again", what,
        printable(manifest->revision, shown), manifest->id, COMMIT_DIGITS);
}

static model_status read_refs(const json_node *refs, const char *what,
                              struct locked_package *package, struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    size_t n = json_count(refs);
    if (!json_is_array(refs) || n > LOCKFILE_MAX_REFS)
        return error_set(err, MODEL_CORRUPT, "%s: want an array 'refs' of at most %d", what,
                         LOCKFILE_MAX_REFS);
    package->refs = calloc(n + 1, sizeof *package->refs);
    if (package->refs == NULL)
        return error_no_memory(err, what);
    for (const json_node *node = json_first(refs); node != NULL; node = json_next(node)) {
        const char *ref = json_string_or(node, NULL);
        if (!ref_is_good(ref, package->manifest.revision))
            return error_set(err, MODEL_CORRUPT,
                             "%s: '%s' of %s is no branch or tag; lock it again", what,
                             printable(ref, shown), package->manifest.id);
        package->refs[package->n_refs] = text_format("%s", ref);
        if (package->refs[package->n_refs] == NULL)
            return error_no_memory(err, what);
        package->n_refs++;
    }
    return MODEL_OK;
}

static model_status read_package(const json_node *node, const char *what, struct lockfile *lockfile,
                                 struct model_error *err)
{
    struct locked_package package = {0};
    char *key = NULL, *text = json_print(node, false);
    if (text == NULL)
        return error_no_memory(err, what);
    model_status status = manifest_parse(text, strlen(text), what, &package.manifest, err);
    free(text);
    if (status == MODEL_OK && (status = store_key_of(package.manifest.id, &key, err)) != MODEL_OK)
        status = MODEL_CORRUPT;
    free(key);
    if (status == MODEL_OK && package.manifest.n_files == 0)
        status = error_set(err, MODEL_CORRUPT, "%s: no file of %s is locked; lock it again", what,
                           package.manifest.id);
    if (status == MODEL_OK)
        status = check_revision(&package.manifest, what, err);
    if (status == MODEL_OK)
        status = read_refs(json_member(node, "refs"), what, &package, err);
    if (status == MODEL_OK)
        status = locked_signer_parse(json_member(node, "signer"), what, &package.signer, err);
    if (status == MODEL_OK)
        return append(lockfile, &package, err);
    finish_package(&package);
    return status;
}

static model_status read_root(const json_node *root, const char *what, struct lockfile *lockfile,
                              struct model_error *err)
{
    const json_node *packages = json_member(root, "packages");
    double version = json_number_or(json_member(root, "lock_version"), 0);
    model_status status = MODEL_OK;
    if (version > LOCKFILE_VERSION)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: lock_version %g, this program reads %d; use a newer modelhost", what,
                         version, LOCKFILE_VERSION);
    if (version != LOCKFILE_VERSION || !json_is_array(packages) ||
        json_count(packages) > LOCKFILE_MAX_PACKAGES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: no lockfile; want lock_version %d and an array 'packages' of at "
                         "most %d; `pkgmgr lock` writes one",
                         what, LOCKFILE_VERSION, LOCKFILE_MAX_PACKAGES);
    for (const json_node *node = json_first(packages); node != NULL && status == MODEL_OK;
         node = json_next(node))
        status = read_package(node, what, lockfile, err);
    return status;
}

model_status lockfile_parse(const char *text, size_t size_bytes, const char *what,
                            struct lockfile *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct lockfile lockfile = {0};
    model_status status = json_parse(text, size_bytes, what, &root, err);
    if (status != MODEL_OK)
        return status;
    status = read_root(root, what, &lockfile, err);
    json_free(root);
    if (status == MODEL_OK)
        *ret = lockfile;
    else
        lockfile_finish(&lockfile);
    return status;
}

model_status lockfile_read(const char *path, struct lockfile *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(LOCKFILE_MAX_BYTES);
    model_status status = file_read(path, LOCKFILE_MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = lockfile_parse(text.data != NULL ? text.data : "", text.size, path, ret, err);
    buffer_finish(&text);
    return status;
}

void lockfile_finish(struct lockfile *lockfile)
{
    for (size_t i = 0; i < lockfile->n_packages; i++)
        finish_package(&lockfile->packages[i]);
    free(lockfile->packages);
    *lockfile = (struct lockfile){0};
}
