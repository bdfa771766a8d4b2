/* package_import.h - makes a package of the store out of files that are here already: a folder, or what
 * other clients keep in the hub's cache. */
#ifndef PACKAGE_IMPORT_H
#define PACKAGE_IMPORT_H

#include "log.h"
#include "store.h"

#include <stdbool.h>

struct package_import {
    const char *path;
    const char *id;       /* NULL: what the cache says, or the folder's name */
    const char *revision; /* NULL: main */
    const char *plugin_path;
    bool allow_pickle;
    struct log_sink log;
};

struct package_imported {
    char *dir, *id, *revision;
    char *plugin_advice; /* what to do when no plugin was found; NULL: there is one */
    char *note;          /* what became of a signature that the store had, where alone the package
                            runs, or which of its Core ML models does; NULL: nothing to say */
    uint64_t size_bytes;
    size_t n_files;
};

/* Every byte is hashed on its way; in a cache, files that are named by a digest must have it
 * (MODEL_CORRUPT). A folder's revision is a digest of its files, so that the same folder is the same
 * package. MODEL_INVALID_ARGUMENT: no id can be made of the name; say one. */
model_status package_import(const struct store *store, const struct package_import *import,
                            struct package_imported *ret, struct model_error *err);
void package_imported_finish(struct package_imported *imported);

#endif
