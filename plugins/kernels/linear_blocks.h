/* linear_blocks.h - products of some rows, more than wait for the weights and fewer than make up for waiting: a short
 * text, or the next tokens of several. Not for plugins. */
#ifndef LINEAR_BLOCKS_H
#define LINEAR_BLOCKS_H

#include "linear_panels.h"

#define BLOCKS_MAX_ROWS 32 /* more run as fast in any other way */

/* Whether linear_panels_run() takes this way with so many rows. */
bool linear_blocks_suit(const struct kernels *kernels, const struct linear_panels *linear,
                        size_t n_rows);
/* Once for each, before there are runners. [create-thread] */
void linear_blocks_expect(struct kernels *kernels, const struct linear_panels *linear);
/* Of a runner: the rows of x. */
size_t linear_blocks_bytes(const struct kernels *kernels);

/* x(n_rows, in_features) -> groups of BLOCK_ROWS rows, each (in_features, BLOCK_ROWS), zeros behind the last row. */
void linear_blocks_read(const float *x, size_t n_rows, size_t in_features, float *groups);
/* All rows on one panel. Row r of the products, each (columns), is at linear_blocks_place(). */
#define BLOCKS_SUMS (BLOCKS_MAX_ROWS * PANEL)
size_t linear_blocks_place(size_t n_rows, size_t row);
void linear_blocks_multiply(const struct kernels *kernels, const struct linear_panels *linear,
                            size_t panel, const float *groups, size_t n_rows, float *sums);

#endif
