/* coreml_package.h - the containers of Core ML models: which file of a path is the model. [any-thread] */
#ifndef COREML_PACKAGE_H
#define COREML_PACKAGE_H

#include "model_extensions.h"
#include "modelhost.h"

#include <stdbool.h>

#define COREML_MAX_MANIFEST_BYTES ((size_t)1 << 20)

/* Whether a path has the ending of a container: ".mlmodel" (a file), ".mlpackage", ".mlmodelc" (folders); any case. */
bool coreml_is_model_path(const char *path);
/* ".mlmodelc" alone: what Core ML has compiled, and nobody else reads. */
bool coreml_is_compiled_path(const char *path);

/* The file that each compiled model has at its top. */
#define COREML_COMPILED_FILE "coremldata.bin"

/* The length of the container in a file's path, "a/x.mlpackage" of "a/x.mlpackage/Data/y"; 0: it is in none. */
size_t coreml_container_length(const char *path);

/* A model file: its name, to be freed, and its bytes. */
struct coreml_located {
    char *name;
    const uint8_t *data;
    uint64_t size_bytes;
};

/* The model file of a .mlmodel file or a folder with a Manifest.json. MODEL_NOT_FOUND; MODEL_UNSUPPORTED: a compiled
 * model. MODEL_CORRUPT: "<manifest>: ...". */
model_status coreml_locate(const struct model_backend_files *files, const char *name,
                           struct coreml_located *ret, struct model_error *err);

/* The path of the first model in a folder (by name; compiled ones last), to be freed; MODEL_NOT_FOUND: it has none. */
model_status coreml_find_in(const char *folder, char **ret, struct model_error *err);

/* The root item's path below "Data/" in the text of a Manifest.json, to be freed; safe to join. `what` names it. Pure. */
model_status coreml_manifest_root(const char *text, size_t size_bytes, const char *what, char **ret,
                                  struct model_error *err);

#endif
