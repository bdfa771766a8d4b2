/* graph_passes.h - the steps of graph_finish(), in their order; not for readers. [create-thread] */
#ifndef GRAPH_PASSES_H
#define GRAPH_PASSES_H

#include "operators.h"

/* Nodes of constants alone become constants. MODEL_OUT_OF_MEMORY. */
model_status graph_fold(struct graph *graph, struct model_error *err);

/* The same for one node with few numbers, that was just added; false: no memory. */
bool graph_fold_small(struct graph *graph, struct graph_node *node);

/* Removes what nobody reads and what changes nothing, and joins nodes that the kernels compute together:
 * convolution, batch norm, residual, activation; product, bias, residual, activation; attention; -max(-x, -6) as
 * a clip. */
void graph_fuse(struct graph *graph);
/* The part of it for attention (graph_fuse_attention.c), and what both need. */
void graph_fuse_attention(struct graph *graph);
/* What hides keys from queries (graph_fuse_mask.c): the constant that is added to the scores, or says where a choice takes
 * them. */
struct graph_mask {
    uint32_t value;
    uint32_t scores_at; /* the choice's input that are the scores; 0: it is added */
};
/* Whether the node chooses by a constant between scores and a number so low that it hides. */
bool graph_mask_of_choice(struct graph *graph, const struct graph_node *node,
                          struct graph_mask *ret);
/* Whether query i of n sees the keys up to the i-th of the last n, and only these. */
bool graph_mask_is_causal(struct graph *graph, const struct graph_mask *mask, int64_t n_queries,
                          int64_t n_keys);
/* A constant to add in place of the choice; GRAPH_NONE: a query sees no key, or no memory. */
uint32_t graph_add_mask(struct graph *graph, const struct graph_mask *mask);
/* The node that makes the value, or NULL; the same, if nothing else reads the value. */
struct graph_node *graph_producer(const struct graph *graph, uint32_t value);
struct graph_node *graph_sole_producer(const struct graph *graph, uint32_t value);
/* From the last to the first. */
void graph_remove_unread(struct graph *graph);

/* Runs will read the numbers of this constant; does nothing of what is none. MODEL_OUT_OF_MEMORY. */
model_status graph_keep(struct graph *graph, uint32_t value, struct model_error *err);
/* Its weights are packed: gives the memory back, if nobody else reads it. */
void graph_discard(struct graph *graph, uint32_t value);
/* Of what nobody reads any more, once constants are computed. */
void graph_release_unread(struct graph *graph);
/* All that is not kept. */
void graph_release_constants(struct graph *graph);

/* ---- emulating float16 (graph_round.c), where graph->emulates_f16 */

/* Whether what the node makes are whole numbers, given its inputs. */
bool graph_makes_whole(const struct graph *graph, const struct graph_node *node);
/* The constants that are left, as they are read from now on. MODEL_OUT_OF_MEMORY. */
model_status graph_round_constants(struct graph *graph, struct model_error *err);
/* y, what the node has just computed. [lane-thread] */
void graph_round_result(const struct graph *graph, const struct graph_node *node, float *y);

/* ---- */

/* Whether a run reads a copy of the input and not the caller's memory: other numbers. */
static inline bool graph_copies_input(const struct graph *graph, const struct graph_value *input)
{
    return input->takes_bytes || (graph->emulates_f16 && !input->is_whole);
}

/* Where the values of a run lie in its block: values that are not needed at the same time share memory, and an
 * operator that can writes over what it read last. Offsets are in bytes. */
struct graph_plan {
    size_t *offsets; /* (n_values); GRAPH_NO_OFFSET: not in the block */
    uint32_t *same;  /* (n_values): for a reshape the value whose memory it is, else GRAPH_NONE */
    bool *has_room;  /* (n_values): graph_has_room() */
    size_t scratch_offset; /* of the operators' scratch */
    size_t size_bytes;     /* of the block, which begins with a table of n_values pointers */
};
#define GRAPH_NO_OFFSET SIZE_MAX

/* Sets graph->plan. MODEL_OUT_OF_MEMORY; MODEL_UNSUPPORTED: a run would need more than 2^40 bytes. */
model_status graph_plan_create(struct graph *graph, struct model_error *err);

/* Bytes of a number of a constant. */
static inline size_t graph_number_bytes(int32_t dtype)
{
    return dtype == MODEL_F64 ? 8 : dtype == MODEL_F32 ? 4 : 2;
}

/* The status with which building should end, and its sentence. */
model_status graph_cancelled(const struct graph *graph, struct model_error *err);

/* Whether it is an output of the graph. */
bool graph_is_output(const struct graph *graph, uint32_t value);

#endif
