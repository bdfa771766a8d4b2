/* recurrent_steps.h - the part of recurrent.h that runs step by step; not for plugins. */
#ifndef RECURRENT_STEPS_H
#define RECURRENT_STEPS_H

#include "kernels_internal.h"
#include "recurrent.h"

#include <stdatomic.h>

#define PROJECTION_COLUMNS 64 /* of weight_hr in one panel */

/* A matrix in panels: panel i holds rows [i * width, ...) of each of n_parts parts, as
 * (depth, n_parts * width), with zeros where there are no rows; in f32, or, where the kernels' dtype is any
 * other, in bf16 as (depth / 2, n_parts * width, 2). */
struct recurrent_panels {
    const void *packed;
    bool is_bf16;
    size_t n_panels, n_parts, width, part_rows, depth;
};

/* Weight [n_parts * part_rows, depth] by name, or n_weights that stand below each other, packed; the caller has
 * set n_parts, width and depth. bias: the name of a vector of n_parts * part_rows, for one weight; NULL: *ret_bias is
 * zeros; ret_bias may be NULL. (recurrent_panels.c) [create-thread] */
void load_panels(struct loader *loader, const char *const *weights, size_t n_weights,
                 const char *bias, size_t part_rows, struct recurrent_panels *panels,
                 const float **ret_bias);

/* How many numbers a panel has. */
size_t recurrent_panel_numbers(const struct recurrent_panels *panels);

/* One layer in one direction. */
struct recurrent_layer {
    const struct linear *input;         /* (gates * hidden, input) with bias_ih */
    struct recurrent_panels recurrent;  /* weight_hh: (gates, hidden) rows of h_width */
    struct recurrent_panels projection; /* weight_hr; no panels without */
    const float *bias;                  /* bias_hh: (gates * hidden), zeros without */
};

/* Consecutive steps of one layer in one direction. */
struct recurrent_steps {
    const struct recurrent_layer *layer;
    enum recurrent_kind kind;
    size_t n_items, n_steps, hidden, h_width;
    bool backwards;         /* the last step is read first */
    const float *products;  /* (n_steps, n_items, gates * hidden): the input's part */
    const uint8_t *visible; /* (n_steps, n_items), or NULL: all */
    float *h[2];   /* (n_items, h_width) each: step i reads h[i % 2] and writes the other */
    float *c;      /* (n_items, hidden); not for a GRU */
    float c_limit; /* of recurrent_run */
    float *inner;  /* (n_items, hidden): h before the projection */
    float *y;      /* row of step s, item b: y + (s * n_items + b) * y_stride */
    size_t y_stride;
    const struct model_cancel *cancel; /* NULL: never */
    _Atomic uint32_t *claims;          /* (the larger number of panels) */
};

/* Runs them on the threads of the run. When the token is raised it ends early: ask it then. */
void recurrent_steps_run(const struct kernels *kernels, const struct recurrent_steps *steps);

#endif
