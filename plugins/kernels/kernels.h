/* kernels.h - all that a plugin sees besides model_abi.h: what models compute with.
 *
 * A model has one `struct kernels`, on which hangs everything that lives as long as the model:
 * prepared weights, small tables. kernels_destroy() gives all of it back at once. The rest:
 *   plugin_config.h   fields of config.json, checked
 *   plugin_weights.h  weights by name, checked, in any float dtype
 *   plugin_loader.h   the layers of a model out of its weights
 *   plugin_model.h    create, instances, destroy
 *   plugin_slots.h    memory of sequences: a state of a fixed size
 *   plugin_call.h     inputs and outputs: described, and found by name
 *   linear.h          y = activation(x W^T + b), weights packed once
 *   conv.h            convolutions and pooling on feature maps
 *   residual.h        networks of residual blocks
 *   lstm_cell.h       one step of an LSTM
 *   attention.h       softmax(Q K^T) V over sequences of different lengths, no padding
 *   packed_rows.h     which rows of a padded batch are computed, and the way back
 *   row_ops.h         layer norm, softmax, embeddings, activations
 *   encoder.h         the layers of BERT and its relatives
 *   decoder.h         those of GPT-2: causal_attention.h over what past_key_values.h keeps
 *   decoder_model.h   a model of those, with slots
 *   decoder_rows.h    which positions a decoder reads, from nothing or after a slot's
 *   recurrent.h       the layers of LSTM and GRU, with their state
 *   recurrent_batch.h  a call of a model made of those, with slots
 *
 * Two builds have the same interface: linear_onednn.c on oneDNN, linear_portable.c in plain C
 * (KERNELS=portable). No -march: what pays is compiled for several instruction sets and chosen by
 * the processor at kernels_create(); see vector_kernels.h.
 *
 * Threads: a struct kernels is written while the model is created ([create-thread]) and only read
 * by runs. Functions that take a `struct linear_runner` belong to the lane that owns it. Work is
 * spread by the host's parallel_for; kernels start no thread of their own. No mutable globals. */
#ifndef KERNELS_H
#define KERNELS_H

#include "model_abi.h"

#include <stdbool.h>

struct kernels;

/* `services` must outlive it. MODEL_OUT_OF_MEMORY. */
model_status kernels_create(const struct model_services *services,
                            const struct model_create_args *args, struct kernels **ret,
                            struct model_error *err);
/* Gives back all that was made with it; NULL does nothing. No runner may be left. */
void kernels_destroy(struct kernels *kernels);

const struct model_services *kernels_services(const struct kernels *kernels);
/* Zeroed memory, 64-byte aligned, that lives as long as `kernels`; NULL when there is none. */
void *kernels_allocate(struct kernels *kernels, size_t size_bytes);
/* Gives a piece of it back before; NULL does nothing. [create-thread] */
void kernels_release(struct kernels *kernels, void *memory);
/* Bytes that the model holds beyond the mapped files: packed weights and kernels_allocate(). */
uint64_t kernels_memory_bytes(const struct kernels *kernels);
/* Names the build, the library's version and the instruction set: part of each key of packed
 * weights. */
const char *kernels_build_key(const struct kernels *kernels);

/* What products of weights are computed in, as model_create_args asked: "f32", "bf16", "int8", "int4". */
const char *kernels_dtype_name(const struct kernels *kernels);

/* Writes the sentence and returns `status`: `return kernels_fail(err, MODEL_CORRUPT, "...", ...)`. */
model_status kernels_fail(struct model_error *err, model_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The sentence for a failed allocation of `what`. */
model_status kernels_no_memory(struct model_error *err, const char *what);

#include "plugin_config.h"
#include "plugin_weights.h"
#include "plugin_call.h"
#include "plugin_loader.h"
#include "plugin_model.h"
#include "plugin_slots.h"
#include "linear.h"
#include "conv.h"
#include "attention.h"
#include "packed_rows.h"
#include "row_ops.h"
#include "encoder.h"
#include "residual.h"
#include "past_key_values.h"
#include "causal_attention.h"
#include "decoder_rows.h"
#include "decoder.h"
#include "decoder_model.h"
#include "recurrent.h"
#include "recurrent_batch.h"
#include "lstm_cell.h"

#endif
