/* signed_path.h - what lies at a path of a package that was signed, for who reads it there and not through the package: a
 * framework, whose own function takes a name. No state, any thread. */
#ifndef SIGNED_PATH_H
#define SIGNED_PATH_H

#include "archive.h"

/* Compares every file that the manifest lists at `path`, a file or a folder, with its digest, and the files that are
 * there with the list. MODEL_OK of what is no signed folder (archive_is_folder()), and of an archive, whose contents have
 * no paths. MODEL_NOT_FOUND: nothing is listed there. MODEL_CORRUPT: a file was changed, is missing, or is not listed.
 * Nothing holds the files as they were: whoever may write to them can do so behind this. */
model_status signed_path_check(const struct archive *archive, const char *path,
                               struct model_error *err);

#endif
