/* schema.h - holding tensors against what a model says of itself. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "modelhost.h"

#include <stdbool.h>

#define SCHEMA_MAX_TENSORS    256
#define SCHEMA_MAX_SLOTS      65536 /* of an instance: the host keeps something for each */
#define SCHEMA_MAX_DIMENSIONS 64

/* The sizes that the dynamic dimensions of one call have taken, by name. */
struct schema_binding {
    struct {
        const char *name;
        int64_t size;
    } dimensions[SCHEMA_MAX_DIMENSIONS];
    uint32_t n_dimensions;
};

/* Copies what is bound. */
static inline void schema_binding_copy(struct schema_binding *to, const struct schema_binding *from)
{
    to->n_dimensions = from->n_dimensions;
    for (uint32_t i = 0; i < from->n_dimensions; i++)
        to->dimensions[i] = from->dimensions[i];
}

/* Whether a description is one the host can work with: names there and different, dtypes known, ranks
 * and bounds sane, few enough dimension names. MODEL_INVALID_ARGUMENT names what is not. */
model_status schema_check_description(const struct model_description *description,
                                      struct model_error *err);

const struct model_tensor_spec *schema_find(const struct model_tensor_spec *const *specs,
                                            uint32_t n_specs, const char *name);

/* Checks a request's inputs: each known and given once, required ones there, dtype, rank, bounds, equal
 * sizes of equal names, dense, data present and as large as the shape says. */
model_status schema_check_inputs(const struct model_description *description,
                                 const struct model_tensor *const *inputs, uint32_t n_inputs,
                                 struct schema_binding *ret, struct model_error *err);

/* The size of a dynamic dimension; -1: no tensor had it. */
int64_t schema_size(const struct schema_binding *binding, const char *name);
/* The size of dimension "batch"; 1 where there is none. */
int64_t schema_batch(const struct schema_binding *binding);

/* Checks the shape that a plugin wants to give an output. Fills in names that inputs did not bind. */
model_status schema_check_output(const struct model_tensor_spec *spec, int32_t dtype, uint32_t rank,
                                 const int64_t *shape, struct schema_binding *binding,
                                 struct model_error *err);

/* Checks a tensor that a plugin emits: a piece of an output, with its dtype and rank and sizes of at most its
 * bounds. MODEL_INTERNAL: the plugin is at fault. */
model_status schema_check_emitted(const struct model_description *description,
                                  const struct model_tensor *tensor, struct model_error *err);

#endif
