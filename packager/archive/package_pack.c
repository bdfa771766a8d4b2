/* package_pack.c - see package_pack.h. */
#include "package_pack.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"
#include "package.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64

struct collection {
    const char *dir;
    const struct manifest *manifest; /* NULL: there is none */
    struct archive_source *sources;  /* (n_sources) */
    size_t n_sources, capacity;
    size_t n_listed; /* of the manifest's files */
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
    collection->n_listed += listed != NULL;
    collection->sources[collection->n_sources++] =
        (struct archive_source){path, file, listed != NULL ? listed->sha256 : NULL};
    return MODEL_OK;
}

static model_status collect(struct collection *collection, const char *folder, int depth,
                            struct model_error *err);

static model_status visit(struct collection *collection, const char *folder, const char *name,
                          int depth, struct model_error *err)
{
    char *path = folder[0] != '\0' ? path_join(folder, name) : text_format("%s", name);
    char *file = path != NULL ? path_join(collection->dir, path) : NULL;
    model_status status = MODEL_OK;
    if (file == NULL)
        status = error_no_memory(err, collection->dir);
    else if (path_is_dir(file))
        status = collect(collection, path, depth + 1, err);
    else if (!path_is_safe(path))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s cannot be packed: other systems do not know such names", file);
    else
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
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++)
        if (list.names[i][0] != '.')
            status = visit(collection, folder, list.names[i], depth, err);
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

model_status package_pack(const char *dir, const char *target,
                          const struct archive_options *options, struct archive_summary *ret,
                          struct model_error *err)
{
    struct collection collection = {.dir = dir};
    struct package package = {0};
    model_status status = package_open(dir, NULL, &package, err);
    if (status == MODEL_OK && package.archive != NULL)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%s is an archive already", dir);
    if (status == MODEL_OK && package.has_manifest)
        collection.manifest = &package.manifest;
    if (status == MODEL_OK)
        status = collect(&collection, "", 0, err);
    if (status == MODEL_OK && collection.manifest != NULL &&
        collection.n_listed != collection.manifest->n_files)
        status = say_missing(&collection, err);
    if (status == MODEL_OK)
        status = archive_write(target, collection.sources, collection.n_sources, options, ret, err);
    for (size_t i = 0; i < collection.n_sources; i++) {
        free((char *)(uintptr_t)collection.sources[i].path);
        free((char *)(uintptr_t)collection.sources[i].file);
    }
    free(collection.sources);
    package_finish(&package);
    return status;
}
