/* generation_steps.h - calling the plugin for the logits of next tokens. Internal to host/generation/.
 * [lane-thread] */
#ifndef GENERATION_STEPS_H
#define GENERATION_STEPS_H

#include "execute.h"
#include "generation_sequence.h"

/* How a model is asked: found once from its description. */
struct generation_model {
    const struct model_description *description;
    const char *output;  /* "next_token_logits" or "logits" */
    int64_t vocab_size;  /* width of the logits */
    int64_t max_context; /* tokens that it can look back on; INT64_MAX: all */
    uint32_t max_slots;  /* 0: the whole text goes in each time */
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
};

/* Runs sequences(n), which are those of one or several prompts (each prompt's side by side), to their
 * ends. n is at most max_slots unless that is 0. */
model_status generation_run(const struct generation_run *run, struct sequence *sequences,
                            uint32_t n, struct model_error *err);

#endif
