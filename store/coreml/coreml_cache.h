/* coreml_cache.h - compiled Core ML models, kept from one process to the next.
 *
 * <folder>/<key>/model.mlmodelc, where the key is a digest of the model's bytes and of all that the result depends on.
 * An entry appears whole, by one rename of a folder that was made beside it, and is never written again. What is
 * found is used only if it is this user's and nobody else may write to it. All of it may be removed at any
 * time: a model that is loaded has its files open. [any-thread], any process */
#ifndef COREML_CACHE_H
#define COREML_CACHE_H

#include "modelhost.h"

#include <stdbool.h>

#define COREML_CACHE_DEFAULT_BYTES ((uint64_t)8 << 30)

struct coreml_cache {
    const char *folder; /* made when it is missing, its owner's alone */
    uint64_t max_bytes; /* of all entries; 0: COREML_CACHE_DEFAULT_BYTES */
};

/* What a compiled model depends on besides the model's bytes. NULL counts as "". */
struct coreml_cache_facts {
    const char *platform;  /* "macOS arm64" */
    const char *os_build;  /* compilers change with it */
    const char *units;     /* "cpuAndNeuralEngine" */
    const char *precision; /* "f16" */
    const char *shapes;    /* "x[1,3,224,224]": those that it is specialised for */
};

#define COREML_CACHE_KEY_BYTES 65

/* The key of a .mlmodel file, or of a folder with all that is in it: names, sizes, bytes. A link or anything else that is
 * no file and no folder is MODEL_CORRUPT. Reads the whole model. */
model_status coreml_cache_key(const char *model_path, const struct coreml_cache_facts *facts,
                              char ret[COREML_CACHE_KEY_BYTES], struct model_error *err);

/* Makes the folder `target`, which does not exist yet. */
typedef model_status coreml_compile_fn(void *context, const char *target, struct model_error *err);

/* The path of a key's compiled model, to be freed: found and marked as used, or made by compile(), after which the
 * entries that were not used for longest go, as far as max_bytes wants it. The new one stays in any case.
 * `ret_was_there` may be NULL. */
model_status coreml_cache_get(const struct coreml_cache *cache, const char *key,
                              coreml_compile_fn *compile, void *context, char **ret_path,
                              bool *ret_was_there, struct model_error *err);

/* Removes an entry that turned out to be damaged; what is not there is fine. */
model_status coreml_cache_remove(const struct coreml_cache *cache, const char *key,
                                 struct model_error *err);

/* Removes a compiled model that a compiler left in a folder of the system's; what is not there is fine.
 * MODEL_INVALID_ARGUMENT: the path does not end in ".mlmodelc", so it is something else. */
model_status coreml_compiled_remove(const char *path, struct model_error *err);

#endif
