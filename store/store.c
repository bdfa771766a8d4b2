/* store.c - opening the store, and listing what is in it; see store.h. The struct is immutable but for its
 * memory, which has a lock, so any thread may use it; the files are shared with other processes. */
#include "store.h"
#include "errors.h"
#include "package.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char cache_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                "# This folder holds models that modelhost can fetch again.\n"
                                "# See https://bford.info/cachedir/\n";

/* ---- opening */

static model_status make_tag(const char *dir, struct model_error *err)
{
    char *path = path_join(dir, "CACHEDIR.TAG");
    if (path == NULL)
        return error_no_memory(err, dir);
    model_status status = MODEL_OK;
    if (access(path, F_OK) != 0)
        status = file_write_atomic(path, cache_tag, sizeof cache_tag - 1, err);
    free(path);
    return status;
}

static model_status make_folders(const char *dir, struct model_error *err)
{
    static const char *const folders[] = {"blobs/sha256", "packages", "refs", "tmp"};
    model_status status = MODEL_OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && status == MODEL_OK; i++) {
        char *path = path_join(dir, folders[i]);
        status = path != NULL ? dir_make_all(path, err) : error_no_memory(err, dir);
        free(path);
    }
    return status == MODEL_OK ? make_tag(dir, err) : status;
}

model_status store_open(const char *dir, int create, struct store **ret, struct model_error *err)
{
    model_status status = create ? make_folders(dir, err) : MODEL_OK;
    if (status != MODEL_OK) {
        error_prefix(err, "cannot make the store %s", dir);
        error_advise(err, "choose another with --store");
        return status == MODEL_NOT_FOUND ? MODEL_IO : status; /* a folder that nobody can make */
    }
    if (!path_is_dir(dir) && access(dir, F_OK) == 0)
        return error_set(err, MODEL_IO, "the store %s is not a folder; --store names another", dir);
    if (!path_is_dir(dir))
        return error_set(err, MODEL_NOT_FOUND,
                         "no store at %s; `pkgmgr download` makes one, --store names another", dir);
    struct store *store = calloc(1, sizeof *store);
    struct store_memory *memory = calloc(1, sizeof *memory);
    if (store == NULL || memory == NULL || pthread_mutex_init(&memory->lock, NULL) != 0) {
        free(memory);
        free(store);
        return error_no_memory(err, dir);
    }
    store->memory = memory;
    store->dir = realpath(dir, NULL);
    if (store->dir == NULL) {
        status = error_set_errno(err, errno, "cannot open the store %s", dir);
        store_close(store);
        return status;
    }
    status = store_folders_check(store, err);
    if (status != MODEL_OK) {
        store_close(store);
        return status;
    }
    *ret = store;
    return MODEL_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_release_staging(store->memory);
    (void)pthread_mutex_destroy(&store->memory->lock);
    free(store->memory->checked);
    free(store->memory);
    free(store->dir);
    free(store);
}

void store_set_wait(struct store *store, const struct papers_wait *wait)
{
    store->wait = *wait;
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}

int store_is_writable(const struct store *store)
{
    static const char *const folders[] = {"packages", "refs", "tmp"};
    bool writable = true;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && writable; i++) {
        char *path = path_join(store->dir, folders[i]);
        writable = path != NULL && access(path, W_OK | X_OK) == 0;
        free(path);
    }
    return writable;
}

/* ---- listing */

static bool has_plugin(const struct manifest *manifest)
{
    static const char name[] = "/" PACKAGE_PLUGIN_NAME;
    for (size_t i = 0; i < manifest->n_files; i++) {
        const char *path = manifest->files[i].path;
        size_t length = strlen(path);
        if (strncmp(path, "backends/", 9) == 0 && length > sizeof name &&
            strcmp(path + length - (sizeof name - 1), name) == 0)
            return true;
    }
    return false;
}

/* An entry of a package's folder; takes dir over. false: the package is broken. */
static bool fill_entry(char *dir, struct store_entry *entry)
{
    struct manifest manifest = {0};
    if (dir == NULL || manifest_read(dir, &manifest, NULL) != MODEL_OK) {
        free(dir);
        return false;
    }
    *entry = (struct store_entry){.id = manifest.id,
                                  .revision = manifest.revision,
                                  .requested_revision = manifest.requested_revision,
                                  .dir = dir,
                                  .created = manifest.created,
                                  .has_plugin = has_plugin(&manifest)};
    for (size_t i = 0; i < manifest.n_files; i++)
        entry->size_bytes += manifest.files[i].size_bytes;
    manifest.id = manifest.revision = manifest.requested_revision = manifest.created = NULL;
    manifest_finish(&manifest);
    return true;
}

/* The names of the refs to a target, but for the commit; false without memory. */
static bool fill_refs(const struct store_refs *refs, const char *target, struct store_entry *entry)
{
    entry->refs = calloc(refs->n_refs + 1, sizeof *entry->refs);
    if (entry->refs == NULL)
        return false;
    size_t key_bytes = strcspn(target, "/");
    for (size_t i = 0; i < refs->n_refs; i++) {
        const struct store_ref *ref = &refs->refs[i];
        if (strcmp(ref->target, target) != 0 || strncmp(ref->key, target, key_bytes) != 0 ||
            ref->key[key_bytes] != '\0' || strcmp(ref->revision, entry->revision) == 0)
            continue;
        char *name = text_format("%s", ref->revision);
        if (name == NULL)
            return false;
        entry->refs[entry->n_refs++] = name;
    }
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct store_entry *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order != 0 ? order : strcmp(x->dir, y->dir);
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct store_ref *)a)->target, ((const struct store_ref *)b)->target);
}

model_status store_list_packages(const struct store *store, struct store_list *ret,
                                 struct model_error *err)
{
    struct store_refs refs = {0};
    model_status status = store_refs_read(store, &refs, err);
    if (status != MODEL_OK)
        return status;
    struct store_list list = {calloc(refs.n_refs + 1, sizeof *list.entries), 0};
    if (list.entries == NULL) {
        store_refs_finish(&refs);
        return error_no_memory(err, "the list of packages");
    }
    if (refs.n_refs > 1)
        qsort(refs.refs, refs.n_refs, sizeof *refs.refs, compare_targets);
    for (size_t i = 0; i < refs.n_refs; i++) {
        const char *target = refs.refs[i].target;
        if (i > 0 && strcmp(target, refs.refs[i - 1].target) == 0)
            continue;
        struct store_entry *entry = &list.entries[list.n_entries];
        if (!fill_entry(text_format("%s/packages/%s", store->dir, target), entry))
            continue;
        list.n_entries++;
        if (!fill_refs(&refs, target, entry))
            status = error_no_memory(err, "the list of packages");
    }
    store_refs_finish(&refs);
    if (status != MODEL_OK) {
        store_list_finish(&list);
        return status;
    }
    if (list.n_entries > 1)
        qsort(list.entries, list.n_entries, sizeof *list.entries, compare_entries);
    *ret = list;
    return MODEL_OK;
}

void store_list_finish(struct store_list *list)
{
    for (size_t i = 0; i < list->n_entries; i++) {
        struct store_entry *entry = &list->entries[i];
        free(entry->id);
        free(entry->revision);
        free(entry->requested_revision);
        for (size_t j = 0; j < entry->n_refs; j++)
            free(entry->refs[j]);
        free(entry->refs);
        free(entry->dir);
        free(entry->created);
    }
    free(list->entries);
    *list = (struct store_list){0};
}
