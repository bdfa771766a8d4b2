/* coreml_backend.h - the Core ML model of a package's backend: a folder on disk or in an archive. [any-thread] */
#ifndef COREML_BACKEND_H
#define COREML_BACKEND_H

#include "archive.h"
#include "coreml_model.h"

/* The model that config.json names as "coreml_model", or else the first in the folder, to be freed; a path as
 * package_file.h has it. NULL: there is none. */
char *coreml_backend_find(const struct archive *archive, const char *backend_dir);

/* Opens a model at such a path. Without weights, and of an archive always, those in weight files are known by their types
 * alone: none of these files is mapped. Errors as coreml_model_open(). */
model_status coreml_backend_open(const struct archive *archive, const char *path, bool with_weights,
                                 struct coreml_model **ret, struct model_error *err);

#endif
