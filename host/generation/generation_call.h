/* generation_call.h - one call of the plugin for logits. Internal to host/generation/. [lane-thread] */
#ifndef GENERATION_CALL_H
#define GENERATION_CALL_H

#include "execute.h"
#include "generation_config.h"

#define GENERATION_MAX_AT_ONCE 64 /* sequences of one call */

/* How a model is asked: found once from its description. */
struct generation_model {
    const struct model_description *description;
    const char *output;       /* "next_token_logits" or "logits" */
    const char *every_output; /* "logits", which has those of each position; NULL: it has none */
    int64_t vocab_size;       /* width of the logits */
    int64_t max_context;      /* tokens that it can look back on; INT64_MAX: all */
    uint32_t max_slots;       /* 0: the whole text goes in each time */
    bool takes_mask;          /* texts of different lengths may be read in one call */
};

/* MODEL_UNSUPPORTED: not a model that generates, and why. */
model_status generation_model_find(const struct model_description *description,
                                   struct generation_model *ret, struct model_error *err);

struct generation_run {
    const struct generation_model *model;
    const struct generation_settings *settings;
    struct modelhost_request *request; /* its token and deadline */
    struct hosted_instance *instance;
    struct modelhost_timing *timing;
    size_t piece_tokens; /* of a prompt that are read in one call */
    bool speculates;
};

/* What came back: logits(vocab_size) of the last position of each row, or of every position. */
struct logits {
    struct modelhost_result *result;
    const float *data;
    size_t row_stride, position_stride;
};
void logits_finish(struct logits *logits);

/* What a call reads. */
struct generation_input {
    int64_t *ids;  /* (n_rows, n_columns) */
    int64_t *mask; /* the same, 0 behind the end of a shorter row; NULL: none is */
    uint32_t n_rows;
    size_t n_columns;
    const uint32_t *slots; /* (n_rows), or NULL: on none */
};

/* Slots of a call that fails are forgotten. */
model_status generation_call(const struct generation_run *run, const struct generation_input *input,
                             bool wants_every, struct logits *ret, struct model_error *err);

#endif
