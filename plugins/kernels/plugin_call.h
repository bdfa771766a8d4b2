/* plugin_call.h - a model's inputs and outputs: saying which there are, and finding them by name. */
#ifndef PLUGIN_CALL_H
#define PLUGIN_CALL_H

#include "model_abi.h"

struct kernels;

/* A list of inputs or outputs under construction; what it points to lives with its kernels. The
 * names and bounds of the first two dimensions of text models stand here once. [create-thread] */
struct spec_list {
    struct kernels *kernels;
    struct model_dimension batch, sequence;
    const struct model_tensor_spec **specs; /* (n_specs) */
    uint32_t n_specs;
    model_status status; /* MODEL_OUT_OF_MEMORY stays */
};

#define MAX_SPECS 64

void spec_add(struct spec_list *list, const char *name, int32_t dtype, uint32_t flags,
              uint32_t rank, const struct model_dimension *shape);
/* [batch, sequence, width], or [batch, sequence] for width 0; F32. */
void spec_add_tokens(struct spec_list *list, const char *name, uint32_t flags, int64_t width);
/* [batch, width], F32. */
void spec_add_sequences(struct spec_list *list, const char *name, uint32_t flags, int64_t width);

/* [batch, sequence], I64: ids, and what goes with them. */
void spec_add_ids(struct spec_list *list, const char *name, uint32_t flags);

/* The description of an f32 model on the CPU: `description` brings architecture, task and
 * instance_bytes, the rest is filled in. MODEL_OUT_OF_MEMORY if a list had none. */
model_status spec_describe(const struct spec_list *inputs, const struct spec_list *outputs,
                           struct model_description *description, struct model_error *err);

/* The input, or NULL when it is absent. The host has checked dtype and shape. [lane-thread] */
const struct model_tensor *call_input(const struct model_call *call, const char *name);

/* Reads ids and takes the outputs that the caller wants; keeps its first error. [lane-thread] */
struct call_reader {
    const struct model_call *call;
    struct model_error *err;
    model_status status;
    int64_t batch, sequence; /* of the text models' inputs and outputs */
};

/* A reader for a text model: batch and sequence are those of input `name`, which is there. */
struct call_reader call_read(const struct model_call *call, const char *name,
                             struct model_error *err);

/* The memory of output `name`, F32; NULL: not wanted, or an error. */
float *take_output(struct call_reader *reader, const char *name, uint32_t rank,
                   const int64_t *shape);
/* The same by its description, for text models: dimensions named "batch" and "sequence" from the
 * reader, the others fixed. */
float *take_described(struct call_reader *reader, const struct model_tensor_spec *spec);

/* Divides one block of scratch. With memory NULL it only counts: lay out twice. */
struct scratch {
    char *memory;
    size_t used;
};

/* n elements of size_bytes, aligned to 64. */
void *scratch_take(struct scratch *scratch, size_t n, size_t size_bytes);

/* The whole of it: layout(context, scratch) takes the buffers of a run; it is called to count and
 * again with the memory. MODEL_OUT_OF_MEMORY. [lane-thread] */
model_status scratch_layout(const struct kernels *kernels,
                            void (*layout)(void *context, struct scratch *scratch), void *context,
                            struct model_error *err);

/* For a second name of one result: copies `from` into `to`, which take_described() gave for `spec`,
 * unless that is NULL or the same memory. */
void take_again(const struct call_reader *reader, const struct model_tensor_spec *spec,
                const float *from, float *to);

/* The elements of an I64 input [batch, sequence], all in [0, n), or NULL when it is absent. Else
 * MODEL_INVALID_ARGUMENT: input_ids[1, 5] is 30522, want 0 to 30521 (vocab_size 30522); `limit` is
 * the name of n. */
const int64_t *take_ids(struct call_reader *reader, const char *name, int64_t n, const char *limit);
/* An attention mask [batch, sequence] of 0 (hidden) and 1, or NULL when it is absent. */
const int64_t *take_mask(struct call_reader *reader, const char *name);

#endif
