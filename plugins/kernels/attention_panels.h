/* attention_panels.h - keys and values as the products of attention read them, in f32 or in bf16. Not for plugins.
 *
 *   keys    (head_size, columns), a column for each position
 *   values  (positions, head_columns), a row for each position
 *
 * In bf16 two of the first dimension lie together: (head_size / 2, columns, 2) and (positions / 2, head_columns, 2);
 * an odd one has zeros beside it. It is for models that compute in fewer bits than f32, on processors whose products
 * of bf16 are faster; the softmax is f32 in both. */
#ifndef ATTENTION_PANELS_H
#define ATTENTION_PANELS_H

#include "kernels_internal.h"

bool attention_is_bf16(const struct kernels *kernels);

size_t attention_keys_bytes(const struct kernels *kernels, size_t head_size, size_t columns);
size_t attention_values_bytes(const struct kernels *kernels, size_t head_size, size_t positions);
/* What one thread needs for the functions below, for products of at most max_depth. */
size_t attention_space_bytes(const struct kernels *kernels, size_t head_size, size_t max_depth);

/* Positions [first, first + n) <- key(n, head_size) and value(n, head_size), whose rows are `stride` floats apart. */
void attention_put_keys(const struct kernels *kernels, const float *key, size_t stride, size_t n,
                        size_t head_size, size_t columns, size_t first, void *space, void *keys);
void attention_put_values(const struct kernels *kernels, const float *value, size_t stride,
                          size_t n, size_t head_size, size_t first, void *space, void *values);

/* out(n_rows, columns) = a(n_rows, depth) panel(depth, panel_columns); rows lda and ldo floats apart. */
struct attention_product {
    const float *a;
    size_t lda, n_rows, depth;
    const void *panel;
    size_t panel_columns, columns;
    float *out;
    size_t ldo;
};
void attention_multiply(const struct kernels *kernels, const struct attention_product *product,
                        void *space);

#endif
