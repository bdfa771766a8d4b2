/* made_inputs.h - inputs for a model of which only its description is known.
 *
 * Shapes come from the dimensions and their bounds, values from the dtype, the input's name and what
 * config.json says (vocab_size), so that any plugin can be run. The same seed makes the same values.
 * Data lies in guarded memory and can only be read. One thread at a time makes them. */
#ifndef MADE_INPUTS_H
#define MADE_INPUTS_H

#include "guarded_memory.h"
#include "json_view.h"
#include "schema.h"

enum made_values {
    MADE_USUAL = 0, /* ids in range, masks of ones, numbers in [-1, 1) */
    MADE_NEGATIVE,  /* integers are -1; numbers are not numbers */
    MADE_BEYOND,    /* integers are the first id that is none; numbers are infinite */
    MADE_LARGEST    /* integers are the largest there is; numbers likewise */
};

struct made_options {
    int64_t batch;                    /* the dimension of that name */
    int64_t picture;                  /* "height" and "width" */
    int64_t picture_width;            /* 0: the width is `picture`, too */
    int64_t other;                    /* all other dynamic dimensions */
    const struct model_dimension *at; /* sizes of this name are... */
    int64_t at_size;                  /* ...this instead */
    uint64_t seed;
    enum made_values values;
    enum guarded_place place;
    uint64_t absent; /* bit i: input i is left out, which is optional */
    uint64_t bytes;  /* bit i: input i comes as U8, which MODEL_SPEC_BYTES allows */
};

struct made_inputs {
    struct model_tensor tensors[SCHEMA_MAX_TENSORS];
    const struct model_tensor *list[SCHEMA_MAX_TENSORS]; /* (n) */
    struct guarded *blocks[SCHEMA_MAX_TENSORS];
    uint32_t n;
};

/* NULL with a sentence when there is no memory or the model wants more than 256 MiB. */
struct made_inputs *made_inputs_create(const struct model_description *description,
                                       const json_node *config, const struct made_options *options,
                                       struct model_error *err);
/* Item `item` of a batch alone: inputs with a dimension "batch" are cut along it, the others whole. */
struct made_inputs *made_inputs_item(const struct model_description *description,
                                     const struct made_inputs *batch, int64_t item,
                                     struct model_error *err);
/* One input of a copy of `data`. */
bool made_inputs_add(struct made_inputs *inputs, const struct model_tensor *like, const void *data,
                     enum guarded_place place);
/* NULL does nothing. */
void made_inputs_destroy(struct made_inputs *inputs);

/* Where the dimension "batch" stands; -1: nowhere. */
int made_inputs_batch_axis(const struct model_tensor_spec *spec);
/* Item `item` along an axis, copied to `data`, which has room for it: that of *ret, whose shape is set first when
 * data is NULL. */
void made_inputs_cut(const struct model_tensor *whole, int axis, int64_t item,
                     struct model_tensor *ret, void *data);

#endif
