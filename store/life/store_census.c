/* store_census.c - see store_census.h. Only reads; what changes while it looks is seen or not. */
#include "store_census.h"
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"
#include "store_unseen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct taking {
    const struct store *store;
    struct store_census *census;
    struct store_refs refs;
    bool (*leave_out)(void *context, const struct census_package *package);
    void *context;
    struct model_error *err;
};

static model_status no_memory(const struct taking *taking)
{
    return error_no_memory(taking->err, "looking through the store");
}

/* ---- packages */

/* Where a model has no file of a ref at all, its refs were lost, and nothing says what was superseded. */
static bool is_named(const struct store_refs *refs, const char *target)
{
    size_t key_bytes = strcspn(target, "/");
    bool has_refs = false;
    for (size_t i = 0; i < refs->n_refs; i++) {
        const struct store_ref *ref = &refs->refs[i];
        if (strcmp(ref->target, target) == 0)
            return true;
        has_refs = has_refs || (ref->path != NULL && strncmp(ref->target, target, key_bytes) == 0 &&
                                ref->target[key_bytes] == '/');
    }
    return !has_refs;
}

/* Counts the package among the users of its blobs. A content that it has twice counts once. */
static void count_files(struct taking *taking, const struct manifest *manifest, uint32_t index)
{
    struct store_census *census = taking->census;
    struct census_package *package = &census->packages[index];
    for (size_t i = 0; i < manifest->n_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        int64_t at = string_map_find(&census->by_digest, file->sha256, SHA256_HEX_BYTES - 1);
        if (at < 0) {
            package->size_bytes += file->size_bytes; /* lost: its size is the manifest's */
            continue;
        }
        struct census_blob *blob = &census->blobs[at];
        if (blob->n_packages > 0 && blob->last == index)
            continue;
        package->size_bytes += file->size_bytes;
        if (!package->is_left_out) {
            blob->n_packages++;
            blob->last = index;
        }
    }
}

/* What a package uses whose manifest cannot be read is unknown. */
static model_status note_unknown(struct taking *taking, const struct model_error *why)
{
    if (taking->census->unknown == NULL)
        taking->census->unknown = text_format("%s", why->message);
    return taking->census->unknown != NULL ? MODEL_OK : no_memory(taking);
}

static model_status add_package(struct taking *taking, const char *target, const char *dir,
                                struct manifest *manifest)
{
    struct store_census *census = taking->census;
    struct stat info;
    void *larger = realloc(census->packages, (census->n_packages + 1) * sizeof *census->packages);
    if (larger == NULL)
        return no_memory(taking);
    census->packages = larger;
    char *subject = text_format("packages/%s", target);
    struct census_package package = {
        .target = text_format("%s", target),
        .dir = text_format("%s", dir),
        .id = manifest->id,
        .revision = manifest->revision,
        .created = manifest->created,
        .changed_s = stat(dir, &info) == 0 ? (int64_t)info.st_ctime : census->now_s,
        .last_use_s = store_last_use(taking->store, target),
        .is_named = is_named(&taking->refs, target),
        .is_in_use = subject != NULL && store_leases_hold(&census->leases, subject)};
    manifest->id = manifest->revision = manifest->created = NULL;
    package.is_left_out = taking->leave_out != NULL && taking->leave_out(taking->context, &package);
    const bool good = subject != NULL && package.target != NULL && package.dir != NULL;
    census->packages[census->n_packages++] = package;
    free(subject);
    return good ? MODEL_OK : no_memory(taking);
}

static model_status visit(void *context, const char *target, const char *dir)
{
    struct taking *taking = context;
    struct manifest manifest = {0};
    struct model_error why = MODEL_ERROR_INIT;
    model_status status = manifest_read(dir, &manifest, &why);
    if (status == MODEL_NOT_FOUND)
        return MODEL_OK; /* no package, or being removed */
    if (status != MODEL_OK)
        return note_unknown(taking, &why);
    status = add_package(taking, target, dir, &manifest);
    if (status == MODEL_OK)
        count_files(taking, &manifest, (uint32_t)(taking->census->n_packages - 1));
    manifest_finish(&manifest);
    return status;
}

static void count_own(struct store_census *census)
{
    for (size_t i = 0; i < census->list.n_blobs; i++)
        if (census->blobs[i].n_packages == 1)
            census->packages[census->blobs[i].last].own_bytes += census->list.blobs[i].size_bytes;
}

/* ---- blobs and parts */

static int64_t changed_at(const struct store *store, const char *sha256)
{
    struct stat info;
    char *path = store_blob_path(store, sha256);
    bool is_there = path != NULL && lstat(path, &info) == 0;
    free(path);
    if (!is_there)
        return INT64_MAX; /* gone in between */
    return (int64_t)(info.st_ctime > info.st_mtime ? info.st_ctime : info.st_mtime);
}

static model_status list_blobs(struct taking *taking)
{
    struct store_census *census = taking->census;
    model_status status = store_list_blobs(taking->store, &census->list, taking->err);
    if (status != MODEL_OK)
        return status;
    const size_t n = census->list.n_blobs;
    census->blobs = calloc(n + 1, sizeof *census->blobs);
    if (census->blobs == NULL || n > UINT32_MAX ||
        string_map_init(&census->by_digest, n) != MODEL_OK)
        return no_memory(taking);
    for (size_t i = 0; i < n; i++) {
        census->blobs[i].changed_s = changed_at(taking->store, census->list.blobs[i].sha256);
        if (string_map_add(&census->by_digest, census->list.blobs[i].sha256, SHA256_HEX_BYTES - 1,
                           (uint32_t)i) == MODEL_OUT_OF_MEMORY)
            return no_memory(taking);
    }
    return MODEL_OK;
}

/* The bytes below a path, and when it last changed. */
static void measure(const char *path, struct census_part *part)
{
    struct stat info;
    struct dir_list list = {0};
    if (lstat(path, &info) != 0)
        return;
    if ((int64_t)info.st_mtime > part->changed_s)
        part->changed_s = (int64_t)info.st_mtime;
    if (S_ISREG(info.st_mode)) /* what it takes, not what it will: partial files have holes */
        part->size_bytes += (uint64_t)info.st_blocks * 512;
    if (!S_ISDIR(info.st_mode) || dir_read(path, &list, NULL) != MODEL_OK)
        return;
    for (size_t i = 0; i < list.n_names; i++) {
        char *child = path_join(path, list.names[i]);
        if (child != NULL)
            measure(child, part);
        free(child);
    }
    dir_list_finish(&list);
}

/* Prepared weights are never written again: what counts is their last use. */
static void take_last_use(const char *path, struct census_part *part)
{
    struct stat info;
    if (lstat(path, &info) == 0 && (int64_t)info.st_atime > part->changed_s)
        part->changed_s = (int64_t)info.st_atime;
}

static model_status list_parts(struct taking *taking, const char *folder,
                               bool (*is_ours)(const char *name))
{
    struct store_census *census = taking->census;
    struct dir_list list = {0};
    char *parent = path_join(taking->store->dir, folder);
    if (parent == NULL)
        return no_memory(taking);
    if (store_folder_read(taking->store, folder, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    model_status status = MODEL_OK;
    void *larger =
        realloc(census->parts, (census->n_parts + list.n_names + 1) * sizeof *census->parts);
    if (larger == NULL)
        status = no_memory(taking);
    else
        census->parts = larger;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *path = path_join(parent, list.names[i]);
        struct census_part part = {.name = text_format("%s/%s", folder, list.names[i]),
                                   .is_foreign = !is_ours(list.names[i])};
        if (path != NULL)
            measure(path, &part);
        if (path != NULL && strcmp(folder, "prepared") == 0)
            take_last_use(path, &part);
        part.is_in_use = part.name != NULL && store_leases_hold(&census->leases, part.name);
        census->parts[census->n_parts++] = part;
        if (path == NULL || part.name == NULL)
            status = no_memory(taking);
        free(path);
    }
    dir_list_finish(&list);
    free(parent);
    return status;
}

/* ---- public */

model_status store_census_take(const struct store *store, int64_t now_s,
                               bool (*leave_out)(void *context,
                                                 const struct census_package *package),
                               void *context, struct store_census *ret, struct model_error *err)
{
    struct store_census census = {.now_s = now_s != 0 ? now_s : store_disk_time(store)};
    struct taking taking = {store, &census, {0}, leave_out, context, err};
    model_status status = store_leases_read(store, census.now_s, NULL, &census.leases, err);
    if (status == MODEL_OK)
        status = list_blobs(&taking); /* before the packages: a new one may use a new blob */
    if (status == MODEL_OK)
        status = store_refs_read(store, &taking.refs, err);
    if (status == MODEL_OK)
        status = store_walk_packages(store, visit, &taking, err);
    if (status == MODEL_OK && census.unknown == NULL)
        status = store_find_unseen(store, &census.unknown, err);
    if (status == MODEL_OK)
        status = list_parts(&taking, "partial", store_name_is_partial);
    if (status == MODEL_OK)
        status = list_parts(&taking, "tmp", store_name_is_staging);
    if (status == MODEL_OK)
        status = list_parts(&taking, "prepared", store_name_is_prepared);
    if (status == MODEL_OK)
        status = list_parts(&taking, "compiled", store_name_is_compiled);
    store_refs_finish(&taking.refs);
    if (status != MODEL_OK) {
        store_census_finish(&census);
        return status;
    }
    count_own(&census);
    *ret = census;
    return MODEL_OK;
}

void store_census_finish(struct store_census *census)
{
    for (size_t i = 0; i < census->n_packages; i++) {
        struct census_package *package = &census->packages[i];
        free(package->target);
        free(package->dir);
        free(package->id);
        free(package->revision);
        free(package->created);
    }
    for (size_t i = 0; i < census->n_parts; i++)
        free(census->parts[i].name);
    free(census->parts);
    free(census->packages);
    free(census->blobs);
    string_map_finish(&census->by_digest);
    free(census->list.blobs);
    store_leases_finish(&census->leases);
    free(census->unknown);
    *census = (struct store_census){0};
}

uint64_t store_census_unused_bytes(const struct store_census *census, size_t *ret_n_blobs)
{
    uint64_t bytes = 0;
    size_t n = 0;
    for (size_t i = 0; i < census->list.n_blobs; i++)
        if (census->blobs[i].n_packages == 0) {
            bytes += census->list.blobs[i].size_bytes;
            n++;
        }
    *ret_n_blobs = n;
    return bytes;
}
