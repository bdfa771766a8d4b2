/* coreml_bridge.h - the seven C functions behind which Apple's Core ML stands.
 *
 *   coreml_compile_model(".../model.mlpackage", ".../x.mlmodelc", &path, &error)
 *   coreml_load_model(path, &options, &model, &error)
 *   coreml_model_schema(model, &schema, &error)
 *   coreml_predict(model, call, &error)           as often as wanted
 *   coreml_free_model(model)
 *
 * bridge_entries.c checks their arguments; behind it are Apple's classes on macOS, and in tests a mock. No type, exception or thread
 * of Apple's comes through. Tensors cross as pointers.
 *
 * Errors: a function that fails returns a model_status and sets *ret_error to one sentence, UTF-8, that the caller gives
 * back with coreml_free_string(); without memory it is NULL. On success it is left alone. `ret_error` may be NULL. A
 * NULL where one is not allowed is MODEL_INVALID_ARGUMENT. Results are set on success only.
 *
 * Threads: every function from any thread; on one model coreml_predict() from several at the same time, and
 * coreml_free_model() when all have returned. Compiling and loading block, as long as the framework does. */
#ifndef COREML_BRIDGE_H
#define COREML_BRIDGE_H

#include "model_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What may compute. It is a wish: which device computes what is Apple's choice for each operation. */
enum coreml_units {
    COREML_UNITS_CPU_AND_NEURAL_ENGINE = 0, /* the default */
    COREML_UNITS_ALL = 1,
    COREML_UNITS_CPU_ONLY = 2,
    COREML_UNITS_CPU_AND_GPU = 3
};

struct coreml_load_options {
    size_t struct_size;
    int32_t units;          /* enum coreml_units */
    uint32_t low_precision; /* 1: a GPU may accumulate in float16 */
    /* (n_bgr_inputs), (n_bgr_outputs): images whose planes are B G R; read while loading */
    const char *const *bgr_inputs, *const *bgr_outputs;
    uint32_t n_bgr_inputs, n_bgr_outputs;
    const char
        *function; /* of a program with several, which is loaded; NULL: the model's default */
};

enum coreml_port_flag {
    /* [1, C, H, W], F32: planes R G B or one of grey, 0 to 255; a call may bring an input as U8 */
    COREML_PORT_IMAGE = 1u << 0,
    COREML_PORT_OPTIONAL = 1u << 1,      /* an input that may be absent */
    COREML_PORT_PROBABILITIES = 1u << 2, /* an output: a vector in the order of the classes */
    COREML_PORT_BGR = 1u << 3,           /* of an image: planes B G R, as the options said */
    COREML_PORT_HALF = 1u << 4           /* of a grey image: numbers of float16, of any value */
};

/* An input or output. Sizes that may vary have min < max; INT64_MAX is no bound. An output of rank 0 is an array of sizes that
 * the model does not declare: each call finds out. */
struct coreml_port {
    const char *name; /* the model's own feature name */
    int32_t dtype;    /* MODEL_F32 or MODEL_I32 */
    uint32_t rank;
    int64_t min[MODEL_MAX_RANK], max[MODEL_MAX_RANK];
    uint32_t flags; /* enum coreml_port_flag */
};

/* The predicted label, and optional inputs that are no tensors, are left out. */
struct coreml_schema {
    size_t struct_size;
    const struct coreml_port *inputs, *outputs; /* (n_inputs), (n_outputs), by name */
    uint32_t n_inputs, n_outputs;
};

/* Where operations are planned to run, which is not where they did. */
struct coreml_plan_counts {
    size_t struct_size;
    uint32_t n_operators; /* that have a device, blocks inside others included */
    uint32_t n_neural_engine, n_gpu, n_cpu;
    double
        neural_engine_share; /* of the estimated cost, 0 to 1; of the operators where there is no cost */
};

struct coreml_handle; /* a loaded model */

/* Compiles a .mlmodel or .mlpackage into the folder target_path, whose parent exists and which itself does not; NULL: a
 * temporary folder of the system's. *ret_path is where it is, for coreml_free_string(). MODEL_CORRUPT: the
 * framework refuses the model. MODEL_IO: it could not be put there. */
model_status coreml_compile_model(const char *source_path, const char *target_path, char **ret_path,
                                  char **ret_error);

/* Opens a compiled model; options NULL: all 0. MODEL_CORRUPT: the framework does not load it. MODEL_UNSUPPORTED: an output, or an
 * input that is needed, is no image and no array, an input declares no sizes, or the model has states. */
model_status coreml_load_model(const char *compiled_path, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error);

/* Inputs and outputs; lives as long as the model. */
model_status coreml_model_schema(struct coreml_handle *model, const struct coreml_schema **ret,
                                 char **ret_error);

/* One prediction. Inputs are dense and are copied; outputs are written dense into what call->allocate_output() gives, by
 * whatever strides the framework made them. Returns what call->cancel says within 10 ms of its being
 * raised, at the latest: a prediction that has begun goes on, as nothing ends it, and holds nothing of the
 * caller's. How many go on is the caller's to bound. MODEL_INTERNAL: the framework failed. A status of allocate_output() is returned without
 * *ret_error; `err` is where allocate_output() writes its sentence, and nothing else does. */
model_status coreml_predict(struct coreml_handle *model, const struct model_call *call,
                            struct model_error *err, char **ret_error);

void coreml_free_model(struct coreml_handle *model); /* NULL does nothing */
void coreml_free_string(char *text);                 /* NULL does nothing */

/* The planned devices of a compiled model, of the function that is loaded; as much of them as ret->struct_size has room for.
 * MODEL_UNSUPPORTED before macOS 14.4. */
model_status coreml_plan(const char *compiled_path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error);

/* The same as a table, for who takes one or another implementation. */
struct coreml_bridge {
    model_status (*compile_model)(const char *, const char *, char **, char **);
    model_status (*load_model)(const char *, const struct coreml_load_options *,
                               struct coreml_handle **, char **);
    model_status (*model_schema)(struct coreml_handle *, const struct coreml_schema **, char **);
    model_status (*predict)(struct coreml_handle *, const struct model_call *, struct model_error *,
                            char **);
    void (*free_model)(struct coreml_handle *);
    void (*free_string)(char *);
    model_status (*plan)(const char *, const struct coreml_load_options *,
                         struct coreml_plan_counts *, char **);
};

/* The one that this plugin is linked with; NULL: none, as everywhere but on macOS (coreml_linked.c). */
const struct coreml_bridge *coreml_bridge_linked(void);

#ifdef __cplusplus
}
#endif

#endif
