/* model_extensions.h - what host and plugin may offer each other beside model_abi.h, by an id with a revision.
 *
 *   const struct model_compiled_models *kept =
 *       services->get_extension(services->context, MODEL_COMPILED_MODELS);
 *
 * Whoever does not offer one returns NULL, and everything works without. Each struct begins with struct_size; fields are
 * only appended, and another meaning is another id. What get_extension() returned lives as long as who returned it:
 * the host's as the services, a plugin's as its model. */
#ifndef MODEL_EXTENSIONS_H
#define MODEL_EXTENSIONS_H

#include "model_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- of the host: files of a backend */

/* The files beside config.json, for a plugin whose weights are in a format of its own. The host finds them wherever the
 * package is (a folder, an archive, compressed or encrypted in it), compares them with their digests where it does so with
 * weights, and guards what it has mapped: a file that is cut short fails the load or the call that it is read in, and
 * not the process. */
#define MODEL_BACKEND_FILES "backend_files/1"

struct model_backend_files {
    size_t struct_size;
    void *context; /* the first argument of each */
    /* The bytes of the file `name`, which is relative to model_create_args.backend_dir ("model.mlpackage/Manifest.json").
     * They are read-only, begin at a multiple of 64 and live until model->destroy() returns; of the same file they are
     * the same each time. An empty file is NULL. MODEL_NOT_FOUND: there is no such file; MODEL_INVALID_ARGUMENT: it is
     * a folder, or the name leads elsewhere; MODEL_CORRUPT: it is not the file that was packed or signed, or a link out of the package. [create-thread],
     * in create_model() */
    model_status (*map)(void *context, const char *name, const void **ret_data, uint64_t *ret_bytes,
                        struct model_error *err);
    /* A hint: these bytes of a file will not be read soon. Their memory may be given back until they are. [any-thread] */
    void (*discard)(void *context, const void *data, uint64_t size_bytes);
    /* `name`, a file or a folder, will be read by its path in backend_dir, past map(): by a framework that takes no bytes. Where the
     * package was to be signed, every file there is compared with its signed digest, and there must be no other; else
     * MODEL_OK. The files can be changed behind this, so it is the last thing before they are read. Errors as map()'s;
     * MODEL_CORRUPT is a reason not to open the model at all. [create-thread], in create_model() */
    model_status (*check_path)(void *context, const char *name, struct model_error *err);
};

/* ---------------------------------------------------------------- of the host: compiled models */

/* Where a plugin may keep what a framework's compiler made of a model. It is the one folder that a worker process
 * may change; files in it are any plugin's, so each is checked before it is used, and may go at any time. Absent when
 * the host has no store, is to keep nothing, or cannot let a worker write there and nowhere else. */
#define MODEL_COMPILED_MODELS "compiled_models/1"

struct model_compiled_models {
    size_t struct_size;
    const char *folder; /* absolute; may still have to be made */
    uint64_t
        max_bytes; /* of all that is in it: who adds removes what was not used for longest; 0: the plugin's choice */
};

/* ---------------------------------------------------------------- of a model: planned devices */

/* For a model that a framework computes, on devices of its own choice: what was asked for, and what the framework plans,
 * which is not what it did. */
#define MODEL_DEVICE_PLAN "device_plan/1"

/* What may compute, in Core ML's words. */
enum model_units {
    MODEL_UNITS_CPU_AND_NEURAL_ENGINE = 0,
    MODEL_UNITS_ALL = 1,
    MODEL_UNITS_CPU_ONLY = 2,
    MODEL_UNITS_CPU_AND_GPU = 3,
    MODEL_UNITS_NONE = 4 /* no framework is asked */
};

struct model_device_plan {
    size_t struct_size;
    int32_t requested_units; /* enum model_units */
    uint32_t by_kernels; /* 1: no framework computes the model, the plugin does; there is no plan */
    uint32_t n_operators; /* that have a planned device; 0: the plan is not known */
    uint32_t n_neural_engine, n_gpu, n_cpu; /* of these; the sum is n_operators */
    double neural_engine_share;             /* of the estimated cost, 0 to 1 */
};

/* ---------------------------------------------------------------- pinned layout */

#if UINTPTR_MAX == UINT64_MAX
MODEL_STATIC_ASSERT(sizeof(struct model_backend_files) == 40, "backend_files/1");
MODEL_STATIC_ASSERT(sizeof(struct model_compiled_models) == 24, "compiled_models/1");
MODEL_STATIC_ASSERT(sizeof(struct model_device_plan) == 40, "device_plan/1");
#endif

#ifdef __cplusplus
}
#endif

#endif
