/* decoder_model.h - a model that is a decoder with heads, and its instances: a runner and the keys and
 * values of their slots. */
#ifndef DECODER_MODEL_H
#define DECODER_MODEL_H

#include "decoder.h"
#include "plugin_call.h"
#include "plugin_model.h"

/* The first member of a plugin's own struct. */
struct decoder_model {
    struct plugin_model model;
    struct decoder decoder;
    int64_t max_positions; /* of the position embedding, and of a slot */
    const char *limit;     /* what config.json calls it: "n_positions" */
};

/* Instances get slots: sets instance_bytes, finish_instance and keep, and in the description max_slots
 * and instance_bytes. After decoder_load().
 * [create-thread] */
void decoder_model_describe(struct decoder_model *model);

/* Begins the runner and a run: rows of inputs attention_mask and position_ids, slots. Errors stay in the
 * reader. [lane-thread] */
struct decoder_run decoder_run_begin(struct model_instance *self, struct call_reader *reader);

#endif
