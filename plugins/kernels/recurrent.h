/* recurrent.h - the layers of torch.nn.LSTM and torch.nn.GRU: any number, one or both directions, with
 * the LSTM's projection (weight_hr) and both biases, in torch's names and gate order.
 *
 * What a layer reads of its input is one product for all steps (linear.h). What it reads of itself runs
 * step by step: each step multiplies h by weights packed in panels of RECURRENT_UNITS units with all
 * their gates, so that a thread that has a panel's sums finishes those units. At batch 1 that is as fast as
 * the weights come from the cache.
 *
 * A caller that reads a long stream goes through it in segments; memory is bounded by the segment. */
#ifndef RECURRENT_H
#define RECURRENT_H

#include "plugin_call.h"
#include "plugin_loader.h"

enum recurrent_kind { RECURRENT_LSTM, RECURRENT_GRU };

struct recurrent_config {
    enum recurrent_kind kind;
    const char *prefix; /* of the weights: "lstm." and the like, or "" */
    int64_t input_size, hidden_size, num_layers;
    int64_t proj_size; /* 0: no projection */
    bool bias, bidirectional;
    /* Not torch's names: each gate (i, f, g, o, or r, z, n) has weights of its own, <prefix>ih_l0.i.weight [hidden, input] and
     * .bias [hidden], and <prefix>hh_l0.i.weight [hidden, h]; no projection. */
    bool gates_apart;
};

struct recurrent; /* immutable, lives with its kernels */

/* <prefix>weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0, ..._l0_reverse, ..._l1 and so
 * on; NULL after an error, which the loader keeps. [create-thread] */
const struct recurrent *load_recurrent(struct loader *loader,
                                       const struct recurrent_config *config);

/* What the first layer makes of each row of a small embedding, computed once: then runs take `ids` instead of
 * `input`, and save that product. Does nothing where the table would be large. After the last
 * linear_create(). [create-thread] */
void load_recurrent_table(struct loader *loader, const struct recurrent *recurrent,
                          const struct embedding *embedding);
bool recurrent_takes_ids(const struct recurrent *recurrent);

size_t recurrent_input_width(const struct recurrent *recurrent); /* input_size */
/* Numbers of h of one item in one layer and direction: proj_size or hidden_size. */
size_t recurrent_h_width(const struct recurrent *recurrent);
/* The same of c; 0 for a GRU, which has none. */
size_t recurrent_c_width(const struct recurrent *recurrent);
/* Layers times directions: the rows of h_n. */
size_t recurrent_n_states(const struct recurrent *recurrent);
/* Numbers in a row of the last layer's output: h_width in each direction. */
size_t recurrent_output_width(const struct recurrent *recurrent);

/* One run: the caller's group of items and what it needs. */
struct recurrent_run {
    struct linear_runner *runner;
    size_t n_items;
    size_t max_steps; /* of a segment */
    size_t n_steps;   /* of this segment */
    /* What the caller fills in. Time comes first whatever the model's batch_first. A step whose `visible`
     * is 0 leaves the item's state as it was and has an output of zeros. */
    float *input;     /* (n_steps, n_items, input_size); or, if recurrent_takes_ids(): */
    int64_t *ids;     /* (n_steps, n_items) */
    uint8_t *visible; /* (n_steps, n_items) */
    bool all_visible; /* visible is not read */
    float *h; /* (n_states, n_items, h_width): before, and after the segment what it is then */
    float *c; /* (n_states, n_items, c_width) */
    /* |c| is at most that from one step to the next, if it is not 0; want 10 or more, where tanh() of c is 1 already. */
    float c_limit;
    /* Private. */
    float *layers[2], *products, *step_h[2], *inner;
    void *claims;
};

/* Items that are best computed together out of a batch. */
size_t recurrent_group_items(size_t batch);

/* Chooses max_steps for n_items of `sequence` steps (all of them if there are two directions) and
 * takes the run's memory out of scratch: call it twice, as scratch_take() says. */
void recurrent_layout(const struct recurrent *recurrent, size_t n_items, size_t sequence,
                      struct scratch *scratch, struct recurrent_run *run);

/* Reads a segment. Returns (n_steps, n_items, output_width), valid until the next call, with room for
 * recurrent_row_capacity() rows. The runner keeps errors and cancellation, which is polled at every
 * step; after one the result is not to be read. [lane-thread] */
const float *recurrent_forward(const struct recurrent *recurrent, struct recurrent_run *run);
size_t recurrent_row_capacity(const struct recurrent_run *run);

#endif
