/* store_gc.c - see store_gc.h. First everything is looked at, then it is removed: packages before blobs, so
 * that nothing is ever named and missing. Between the look and the removal somebody may begin to write:
 * therefore the leases are read again before blobs go. What is lost all the same is found by
 * who installs it (store_install() checks every blob), and fetched again. */
#include "store_gc.h"
#include "errors.h"
#include "package_papers.h"
#include "printable_text.h"
#include "scratch.h"
#include "store_census.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREPARED_KEPT_S (30 * 24 * 3600) /* what costs a second to make again, and no network */

struct collection {
    const struct store *store;
    const struct store_gc_options *options;
    struct store_census census;
    struct store_gc_result result;
    char *staging; /* packages and partial downloads are moved here by one rename, then removed */
    unsigned n_moved;
    struct model_error *err;
};

static bool is_old(const struct collection *collection, int64_t changed_s)
{
    return collection->census.now_s - changed_s >= collection->options->grace_s;
}

static void count(struct collection *collection, const char *kind, const char *name,
                  uint64_t size_bytes)
{
    const struct store_gc_options *options = collection->options;
    collection->result.n_removed++;
    collection->result.freed_bytes += size_bytes;
    if (options->report != NULL)
        options->report(options->context, kind, name, size_bytes);
}

static model_status keep(struct collection *collection, size_t n, const char *why)
{
    collection->result.n_kept += n;
    if (n > 0 && collection->result.note == NULL)
        collection->result.note = text_format("%s", why);
    return n == 0 || collection->result.note != NULL
               ? MODEL_OK
               : error_no_memory(collection->err, "collecting garbage");
}

/* Out of sight by one rename. What is gone already is fine. */
static model_status move_away(struct collection *collection, const char *path)
{
    char *aside = text_format("%s/%u", collection->staging, collection->n_moved++);
    model_status status = MODEL_OK;
    if (aside == NULL)
        status = error_no_memory(collection->err, "collecting garbage");
    else if (rename(path, aside) != 0 && errno != ENOENT)
        status = error_set_errno(collection->err, errno, "cannot remove %s", path);
    free(aside);
    return status;
}

/* ---- packages */

/* Also says whose blobs do not count: the same packages. */
static bool is_dead_package(void *context, const struct census_package *package)
{
    const struct collection *collection = context;
    const struct store_census *census = &collection->census;
    int64_t used_s =
        package->last_use_s > package->changed_s ? package->last_use_s : package->changed_s;
    return !package->is_named && !package->is_in_use &&
           census->now_s - used_s >= collection->options->grace_s;
}

static model_status collect_packages(struct collection *collection)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < collection->census.n_packages && status == MODEL_OK; i++) {
        const struct census_package *package = &collection->census.packages[i];
        char *name = text_format("packages/%s", package->target);
        if (name == NULL)
            status = error_no_memory(collection->err, "collecting garbage");
        if (status == MODEL_OK && package->is_left_out) {
            if (!collection->options->dry_run) {
                store_stamp_remove(collection->store, package->target); /* see store_unseen.h */
                status = move_away(collection, package->dir);
            }
            if (status == MODEL_OK)
                count(collection, "package", name, 0); /* its bytes are those of its blobs */
        }
        free(name);
    }
    return status;
}

/* ---- blobs */

/* Removes a blob; adds what that frees. */
static void collect_blob(struct collection *collection, const struct store_blob *blob)
{
    struct stat info;
    char *path = store_blob_path(collection->store, blob->sha256);
    char *name = text_format("blobs/sha256/%.2s/%s", blob->sha256, blob->sha256);
    /* with a further link, from outside of the store, nothing is freed; a dry run counts those of packages */
    char *folder = store_blob_folder(blob->sha256);
    if (path != NULL && name != NULL && folder != NULL && lstat(path, &info) == 0 &&
        (collection->options->dry_run ||
         store_folder_unlink(collection->store, folder, blob->sha256)))
        count(collection, "blob", name,
              info.st_nlink <= 1 || collection->options->dry_run ? blob->size_bytes : 0);
    free(folder);
    free(name);
    free(path);
}

/* Whether a writer is at work now, other than this collection. */
static bool is_written_to(const struct collection *collection, const struct store_leases *leases)
{
    for (size_t i = 0; i < leases->n_records; i++) {
        const struct store_lease_record *record = &leases->records[i];
        bool is_own = collection->staging != NULL && record->subject != NULL &&
                      strcmp(path_base(record->subject), path_base(collection->staging)) == 0;
        if (record->is_alive && record->kind == STORE_LEASE_WRITER && !is_own)
            return true;
    }
    return false;
}

static model_status collect_blobs(struct collection *collection)
{
    const struct store_census *census = &collection->census;
    size_t n_unused = 0, n_young = 0;
    (void)store_census_unused_bytes(census, &n_unused);
    if (census->unknown != NULL) {
        char *why = text_format("another package may use them: %s", census->unknown);
        model_status status = why != NULL ? keep(collection, n_unused, why)
                                          : error_no_memory(collection->err, "collecting garbage");
        free(why);
        return status;
    }
    struct store_leases leases = {0};
    model_status status =
        store_leases_read(collection->store, census->now_s, NULL, &leases, collection->err);
    if (status != MODEL_OK)
        return status;
    bool is_busy = is_written_to(collection, &leases);
    store_leases_finish(&leases);
    if (is_busy)
        return keep(collection, n_unused, "a download or an install is at work, and may use them");
    for (size_t i = 0; i < census->list.n_blobs; i++)
        if (census->blobs[i].n_packages == 0 && is_old(collection, census->blobs[i].changed_s))
            collect_blob(collection, &census->list.blobs[i]);
        else
            n_young += census->blobs[i].n_packages == 0;
    return keep(collection, n_young, "they are younger than --grace");
}

/* ---- partial downloads and work in progress */

/* A file of prepared weights that nobody works on any more. */
static bool is_dead_draft(const struct collection *collection, const struct census_part *part)
{
    if (path_base(part->name)[0] != '.')
        return false;
    char *path = path_join(collection->store->dir, part->name);
    const bool is_dead = path != NULL && scratch_life(path) == SCRATCH_DEAD;
    free(path);
    return is_dead;
}

/* Prepared weights and compiled models: who has them mapped keeps them, and who makes them bounds their bytes. `folder` is
 * also what they are called. */
static model_status collect_made(struct collection *collection, const char *folder,
                                 const struct census_part *part)
{
    const int64_t unused_s = collection->census.now_s - part->changed_s;
    if ((unused_s < PREPARED_KEPT_S || !is_old(collection, part->changed_s)) &&
        !(strcmp(folder, "prepared") == 0 && is_dead_draft(collection, part)))
        return MODEL_OK;
    if (collection->options->dry_run ||
        store_folder_remove(collection->store, folder, path_base(part->name)))
        count(collection, folder, part->name, part->size_bytes);
    return MODEL_OK;
}

/* What no store has made is for its owner to remove; said when there is nothing else to say. */
static model_status tell_foreign(struct collection *collection)
{
    const struct census_part *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < collection->census.n_parts; i++) {
        const struct census_part *part = &collection->census.parts[i];
        first = first == NULL && part->is_foreign ? part : first;
        n += part->is_foreign;
    }
    if (first == NULL || collection->result.note != NULL)
        return MODEL_OK;
    char shown[PRINTABLE_TEXT_BYTES];
    char *why = text_format("%s/%s is nothing that a store makes; if nobody needs it, delete it by "
                            "hand",
                            collection->store->dir, printable(first->name, shown));
    model_status status = why != NULL ? keep(collection, n, why)
                                      : error_no_memory(collection->err, "collecting garbage");
    free(why);
    return status;
}

static model_status collect_part(struct collection *collection, const struct census_part *part,
                                 bool is_busy)
{
    static const char partial[] = "partial/", prepared[] = "prepared/", compiled[] = "compiled/";
    if (part->is_foreign)
        return MODEL_OK;
    if (strncmp(part->name, prepared, sizeof prepared - 1) == 0)
        return collect_made(collection, "prepared", part);
    if (strncmp(part->name, compiled, sizeof compiled - 1) == 0)
        return collect_made(collection, "compiled", part);
    if (strncmp(part->name, partial, sizeof partial - 1) != 0)
        return MODEL_OK; /* tmp/ is tidied by its own rules */
    if (is_busy)
        return keep(collection, 1, "a download or an install is at work, and may use them");
    const struct store_gc_options *options = collection->options;
    if (options->is_worked_on != NULL &&
        options->is_worked_on(options->context, part->name + sizeof partial - 1, part->changed_s,
                              collection->census.now_s))
        return keep(collection, 1, "a download works on them, perhaps on another machine");
    if (!is_old(collection, part->changed_s))
        return keep(collection, 1, "they are younger than --grace");
    char *path = path_join(collection->store->dir, part->name);
    model_status status = path == NULL ? error_no_memory(collection->err, "collecting garbage")
                          : collection->options->dry_run ? MODEL_OK
                                                         : move_away(collection, path);
    if (status == MODEL_OK)
        count(collection, "partial", part->name, part->size_bytes);
    free(path);
    return status;
}

static model_status collect_parts(struct collection *collection)
{
    const struct store_census *census = &collection->census;
    bool is_busy = is_written_to(collection, &census->leases);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < census->n_parts && status == MODEL_OK; i++)
        status = collect_part(collection, &census->parts[i], is_busy);
    return status;
}

/* Work in progress of dead processes: making our own folder removes it, so that it is counted before. */
static void count_staging(struct collection *collection)
{
    struct stat info;
    for (size_t i = 0; i < collection->census.n_parts; i++) {
        const struct census_part *part = &collection->census.parts[i];
        char *path = path_join(collection->store->dir, part->name);
        bool is_gone =
            collection->options->dry_run
                ? !part->is_in_use && !part->is_foreign && strstr(part->name, ".held") != NULL
                : path != NULL && lstat(path, &info) != 0 && errno == ENOENT;
        if (strncmp(part->name, "tmp/", 4) == 0 && is_gone)
            count(collection, "staging", part->name, part->size_bytes);
        free(path);
    }
}

/* ---- small things that follow packages and processes */

/* Files that follow what is below another folder by the same name. */
struct followers {
    const char *folder, *needed;
    bool (*is_ours)(const char *name);
};

/* A ref's file name. */
static bool is_ref(const char *name)
{
    char *revision = store_ref_revision(name);
    free(revision);
    return revision != NULL;
}

static bool is_one_of(const struct followers *followers, const char *name)
{
    char target[NAME_MAX + 1];
    return followers->is_ours(name) ||
           (store_name_in_progress(name, target, sizeof target) && followers->is_ours(target));
}

/* Removes those of one key whose other is not there, and the folder when it is empty then. */
static void tidy_key(const struct store *store, const struct followers *followers, const char *key)
{
    struct dir_list names = {0};
    char *folder = text_format("%s/%s", followers->folder, key);
    if (folder == NULL || store_folder_read(store, folder, &names, NULL) != MODEL_OK)
        names = (struct dir_list){0};
    for (size_t i = 0; i < names.n_names; i++) {
        struct stat info;
        char *other =
            text_format("%s/%s/%s/%s", store->dir, followers->needed, key, names.names[i]);
        if (other != NULL && is_one_of(followers, names.names[i]) && lstat(other, &info) != 0 &&
            errno == ENOENT)
            (void)store_folder_unlink(store, folder, names.names[i]);
        free(other);
    }
    (void)store_folder_rmdir(store, followers->folder, key);
    dir_list_finish(&names);
    free(folder);
}

static model_status sweep_package(void *context, const char *target, const char *dir)
{
    (void)context;
    (void)target;
    package_papers_settle(dir);
    return MODEL_OK;
}

static void tidy(const struct collection *collection)
{
    static const struct followers all[] = {{"stamps", "packages", store_name_is_digest},
                                           {"used", "packages", store_name_is_digest},
                                           {"history", "refs", is_ref}};
    const struct store *store = collection->store;
    (void)store_walk_packages(store, sweep_package, NULL, NULL);
    const bool is_known =
        collection->census.unknown == NULL; /* else what they follow may be there */
    for (size_t i = 0; i < sizeof all / sizeof all[0] && is_known; i++) {
        struct dir_list keys = {0};
        if (store_folder_read(store, all[i].folder, &keys, NULL) != MODEL_OK)
            keys = (struct dir_list){0};
        for (size_t j = 0; j < keys.n_names; j++)
            tidy_key(store, &all[i], keys.names[j]);
        dir_list_finish(&keys);
    }
    const struct store_leases *leases = &collection->census.leases;
    for (size_t i = 0; i < leases->n_records; i++)
        if (!leases->records[i].is_alive)
            (void)store_folder_unlink(store, "leases", path_base(leases->records[i].path));
}

/* ---- public */

static model_status collect(struct collection *collection)
{
    const struct store_gc_options *options = collection->options;
    model_status status = store_folders_check(collection->store, collection->err);
    if (status == MODEL_OK)
        status = store_census_take(collection->store, collection->census.now_s, is_dead_package,
                                   collection, &collection->census, collection->err);
    if (status == MODEL_OK && !options->dry_run)
        status = store_make_staging(collection->store, &collection->staging, collection->err);
    if (status != MODEL_OK)
        return status;
    count_staging(collection);
    status = collect_packages(collection);
    if (status == MODEL_OK)
        status = collect_parts(collection);
    if (status == MODEL_OK && !options->dry_run) /* links of packages go before the blobs' own */
        status = dir_remove_all(collection->staging, collection->err);
    if (status == MODEL_OK)
        status = collect_blobs(collection);
    if (status == MODEL_OK)
        status = tell_foreign(collection);
    if (status == MODEL_OK && !options->dry_run)
        tidy(collection);
    return status;
}

model_status store_gc(const struct store *store, const struct store_gc_options *options,
                      struct store_gc_result *ret, struct model_error *err)
{
    struct collection collection = {.store = store, .options = options, .err = err};
    collection.census.now_s = options->now_s != 0 ? options->now_s : store_disk_time(store);
    model_status status = collect(&collection);
    store_end_staging(store, collection.staging);
    store_census_finish(&collection.census);
    if (status == MODEL_OK)
        *ret = collection.result;
    else
        free(collection.result.note);
    return status;
}
