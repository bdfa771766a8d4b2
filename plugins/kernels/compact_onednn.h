/* compact_onednn.h - many rows of x times compact weights, on oneDNN: what goes before and behind the product. x is
 * rounded row by row, to bf16 or to 8 bits with a scale; products of 8 bits are finished in f32. Not for plugins. */
#ifndef COMPACT_ONEDNN_H
#define COMPACT_ONEDNN_H

#include "linear_onednn.h"

/* Whether oneDNN wants the weights as they lie in compact_weights.h. False for int4, which it has not. */
bool compact_layout_fits(const struct linear_class *class);

/* What a piece of n_rows needs beside its operands. */
size_t compact_piece_bytes(const struct linear_class *class, size_t n_rows);

/* Where its parts lie in that space. */
struct compact_piece {
    void *x;       /* (n_rows, in_features), bf16 or u8 */
    float *scales; /* (n_rows), int8 */
    void *y;       /* where the product goes: y itself when it is not added to */
};
struct compact_piece compact_piece_begin(const struct kernels *kernels, const struct linear *linear,
                                         const float *x, size_t n_rows, void *space, float *y);
/* y = product, bias, residual and activation; nothing for bf16, in which oneDNN does that. */
void compact_piece_end(const struct kernels *kernels, const struct linear *linear,
                       const struct compact_piece *piece, size_t n_rows, float *y);

#endif
