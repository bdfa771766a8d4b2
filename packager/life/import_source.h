/* import_source.h - what a folder holds that becomes a package: somebody's own folder (as transformers'
 * save_pretrained() writes it), a repository in the hub's cache, or one snapshot of it. */
#ifndef IMPORT_SOURCE_H
#define IMPORT_SOURCE_H

#include "hub.h"

#include <stdbool.h>

struct import_source {
    char *dir;      /* the files are here, and below */
    char *boundary; /* links may lead no further than this */
    char *id;       /* of a cache's repository; NULL: the folder does not say */
    char *commit;   /* of a snapshot; NULL */
    char *revision; /* the ref that was asked for, or the only one; NULL: none */
    struct hub_files files;
    char *inside;  /* of a Core ML model: its path in the package, a file's or a folder's; NULL */
    bool is_cache; /* files are the hub cache's, which nobody writes to */
};

/* Looks at the folder, reads no file; a Core ML model (.mlmodel, .mlpackage) is read and checked, of a compiled one
 * (.mlmodelc) that it is one; neither has links. revision: which snapshot of a cache's repository, NULL: main, or the
 * only one. MODEL_CORRUPT: a link leads out; MODEL_NOT_FOUND: no folder, or no such snapshot. Hidden files
 * are left out. */
model_status import_source_read(const char *path, const char *revision, struct import_source *ret,
                                struct model_error *err);
/* Where one of its files goes in the package; to be freed, NULL without memory. */
char *import_source_place(const struct import_source *source, const char *path);
void import_source_finish(struct import_source *source);

#endif
