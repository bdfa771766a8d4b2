/* coreml_build.h - what the files of this folder share while they make a model's views; for this folder only. */
#ifndef COREML_BUILD_H
#define COREML_BUILD_H

#include "coreml_arena.h"
#include "coreml_blobs.h"
#include "coreml_model.h"

struct coreml_build {
    struct coreml_arena *arena;
    struct coreml_blobs *blobs; /* NULL: there are no weight files */
    const char *what;           /* the model's path, for errors */
    struct model_error *err;
};

/* MODEL_CORRUPT of bytes that are read, but say what cannot be: advises what helps then. The sentences of coreml_scan.c,
 * coreml_blobs.c and coreml_package.c are of damage, and get no such advice. */
model_status coreml_refuse(struct model_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, "<what>: <sentence>". */
model_status coreml_build_refuse(const struct coreml_build *build, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
model_status coreml_build_no_memory(const struct coreml_build *build);
/* The strings of a repeated field; *ret NULL when there are none. */
model_status coreml_build_texts(const struct coreml_build *build, const coreml_message *message,
                                const char *field, const char *const **ret, size_t *ret_n);

/* "ValueType"; NULL is refused. `name` names what is of this type. */
model_status coreml_build_type(const struct coreml_build *build, const coreml_message *message,
                               const char *name, struct coreml_type *ret);
/* "Value". */
model_status coreml_build_value(const struct coreml_build *build, const coreml_message *message,
                                const char *name, struct coreml_value *ret);
/* "Program". */
model_status coreml_build_program(const struct coreml_build *build, const coreml_message *message,
                                  const char *default_function, const struct coreml_program **ret);
/* "NeuralNetwork" and its two variants; the inputs and states of the model are the blobs at the start. */
model_status coreml_build_network(const struct coreml_build *build, const coreml_message *message,
                                  const struct coreml_model *model,
                                  const struct coreml_network **ret);
/* Repeated "FeatureDescription". */
model_status coreml_build_features(const struct coreml_build *build, const coreml_message *message,
                                   const char *field, struct coreml_features *ret);
/* Class labels of a network's message or of the program. */
model_status coreml_build_labels(const struct coreml_build *build, const coreml_message *body,
                                 struct coreml_model *model);

float coreml_half_to_float(uint16_t half);

#endif
