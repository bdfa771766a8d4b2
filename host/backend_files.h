/* backend_files.h - which files lie in a backend's folder: a plugin may read any of them, so each is part of what a
 * model is made of. Folders inside are walked; names that begin with '.' are no part of a package. Contents are not
 * read: a model may have gigabytes. No state, any thread. */
#ifndef BACKEND_FILES_H
#define BACKEND_FILES_H

#include "digest.h"

#include <stdbool.h>
#include <sys/stat.h>

#ifdef __APPLE__
#define BACKEND_FILE_MTIME st_mtimespec
#else
#define BACKEND_FILE_MTIME st_mtim
#endif

#define BACKEND_FILES_MAX       100000 /* files and folders, as many as a manifest may list */
#define BACKEND_FILES_MAX_DEPTH 32

struct backend_file {
    char *name;       /* in the folder: "model.mlpackage/Manifest.json" */
    struct stat info; /* of what a link leads to; all zero: nowhere */
};

struct backend_files {
    struct backend_file *files; /* (n_files), in an order that is the names' alone */
    size_t n_files, capacity;
};

/* A folder that is not there has none. MODEL_UNSUPPORTED: more than the maximum. */
model_status backend_files_list(const char *folder, struct backend_files *ret,
                                struct model_error *err);
void backend_files_finish(struct backend_files *files);

/* config.json and the plugin: who wants to know them has their contents. */
bool backend_file_is_known(const struct backend_file *file);
/* Path, device, inode, size and time of change: by these a file is told that no manifest knows. */
void backend_file_add(struct digest *digest, const char *folder, const struct backend_file *file);

/* All of the folder but those that are known, by the above: another one when any of them was replaced or written
 * over. `folder` NULL: of nothing. */
model_status backend_files_stamp(const char *folder, char ret_stamp[SHA256_HEX_BYTES],
                                 struct model_error *err);

#endif
