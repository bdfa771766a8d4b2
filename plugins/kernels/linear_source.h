/* linear_source.h - the weights behind a struct linear_spec: found, checked, read as one f32 matrix.
 * Shared by linear_onednn.c and linear_portable.c; not for plugins. [create-thread] */
#ifndef LINEAR_SOURCE_H
#define LINEAR_SOURCE_H

#include "kernels_internal.h"

#define LINEAR_KEY_BYTES 2560

struct linear_source {
    struct model_tensor parts[LINEAR_MAX_PARTS]; /* each (part_rows, in_features) */
    bool transposed;                             /* the one part is (in_features, out_features) */
    uint32_t n_parts;
    size_t part_rows, in_features, out_features;
    const float *bias; /* (out_features), zeros without; lives with the kernels */
};

model_status linear_source_find(struct kernels *kernels, const struct linear_spec *spec,
                                struct linear_source *ret, struct model_error *err);
/* The matrix where it lies, or NULL when it has to be read (several parts, or not F32). */
const float *linear_source_view(const struct linear_source *source);
/* Whether it can be used as a view, whatever its float dtype. */
bool linear_source_stays(const struct linear_source *source);
/* Rows [first, first + n_rows) of the stacked matrix as f32; not for transposed ones. */
void linear_source_read(const struct linear_source *source, size_t first, size_t n_rows,
                        float *ret);
/* Tells the host that the views will not be read soon. */
void linear_source_discard(const struct kernels *kernels, const struct linear_source *source);
/* The key of the packed form: build, layout, shape, dtype and names. */
const char *linear_source_key(const struct kernels *kernels, const struct linear_source *source,
                              const char *layout, char key[LINEAR_KEY_BYTES]);

struct conv_plans; /* of conv_onednn.c or conv_portable.c; made by the first convolution */
void conv_plans_destroy(struct conv_plans *plans); /* NULL does nothing */

/* The status of a run: the first member of struct linear_runner in both files. */
struct linear_progress {
    struct conv_plans *conv;
    const struct model_cancel *cancel;
    struct model_error *err;
    model_status status;
    uint64_t multiply_adds; /* linear_runner_count() */
};

/* Whether to go on: no error yet, and the token not raised. */
bool linear_progress_ask(struct linear_progress *progress);

#endif
