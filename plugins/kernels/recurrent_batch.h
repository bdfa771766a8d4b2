/* recurrent_batch.h - a call of a model made of recurrent layers: its items in groups, their steps in
 * segments, their states from where the call goes on to where it stops, in slots if it has any.
 *
 * A state only knows its end: it can be gone on with, copied and cleared, but not be had as it was some
 * positions before. Positions that the mask hides leave it as it was. */
#ifndef RECURRENT_BATCH_H
#define RECURRENT_BATCH_H

#include "plugin_model.h"
#include "recurrent.h"

#define RECURRENT_SLOTS      64
#define RECURRENT_BLOCK_ROWS 64 /* that write() gets at most */

/* The first member of such a plugin's own struct. */
struct recurrent_model {
    struct plugin_model model;
    const struct recurrent *recurrent;
    bool
        batch_first; /* inputs and outputs are [batch, sequence, ...], else [sequence, batch, ...] */
};

/* With memory: sets max_slots, instance_bytes and keep. After load_recurrent(). [create-thread] */
void recurrent_model_remember(struct recurrent_model *model);

/* One call. Positions are numbered as they lie in the inputs and outputs. [lane-thread] */
struct recurrent_batch {
    const struct recurrent_model *model;
    size_t batch, sequence;
    const int64_t *mask; /* of all positions, or NULL */
    float *h, *c;        /* h_n and c_n; NULL: not wanted */
    const int64_t *ids;  /* of all positions, if recurrent_takes_ids(); read() is not called then */
    /* What the model is. read: the input of a position into x(input_size). write: n rows of the last
     * layer, y(n, output_width) with room for `capacity` rows, for recurrent_scatter(). May use
     * block(block_bytes). */
    void *context;
    void (*read)(void *context, size_t position, float *x);
    void (*write)(void *context, const struct recurrent_batch *batch, const float *y, size_t n,
                  size_t capacity);
    size_t block_bytes;
    void *block;
    /* Private. */
    struct recurrent_run run;
    size_t first_item, first_step, first_row; /* of what is written */
};

/* Runs all layers, from the call's h0 and c0, else from what its slots hold, else from zeros.
 * MODEL_INVALID_ARGUMENT: one of h0 and c0 without the other. The instance's runner has begun. */
model_status recurrent_batch_run(struct recurrent_batch *batch, struct plugin_instance *instance,
                                 const struct model_call *call, struct model_error *err);
/* h of the last layer after the run: (batch, h_width), what each item's last visible position gave. */
const float *recurrent_batch_last(const struct recurrent_batch *batch);
/* In write(): x(n, width), made of the rows, to their positions in y; hidden ones are zeros. */
void recurrent_scatter(const struct recurrent_batch *batch, const float *x, size_t n, size_t width,
                       float *y);
/* When nothing can fail any more: leaves the states in the call's slots. Without slots does nothing. */
void recurrent_batch_keep(const struct recurrent_batch *batch, struct plugin_instance *instance,
                          const struct model_call *call);

#endif
