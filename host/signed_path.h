/* signed_path.h - what lies at a path of a package that was signed, for who reads it there and not through the package: a
 * framework, whose own function takes a name. No state, any thread. */
#ifndef SIGNED_PATH_H
#define SIGNED_PATH_H

#include "archive.h"

/* Compares every file that the manifest lists at `path`, a file or a folder, with its digest, and the files that are
 * there with the list. `path` begins with archive_path() as it is, and has no '..'. Names that begin with '.' are no part of a
 * package: tools leave them behind, and they are passed over.
 *
 * MODEL_OK of what is no signed folder: `archive` NULL, and an archive of one file, whose contents have no paths.
 * MODEL_INVALID_ARGUMENT: the path is not below the folder. MODEL_NOT_FOUND: nothing is listed there. MODEL_CORRUPT: a file was
 * changed, is missing, or is not listed. MODEL_IO: one cannot be read. Nothing holds the files as they were: whoever may write
 * to them can do so behind this. */
model_status signed_path_check(const struct archive *archive, const char *path,
                               struct model_error *err);

#endif
