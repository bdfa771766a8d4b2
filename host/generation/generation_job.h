/* generation_job.h - the job of a request that generates. Internal to host/generation/.
 *
 * It belongs to its request. Sequences and the instance are touched by the lane only; between two turns on a lane
 * (lane_suspend.h) the job keeps them. */
#ifndef GENERATION_JOB_H
#define GENERATION_JOB_H

#include "generation.h"
#include "generation_prompt.h"
#include "generation_steps.h"
#include "reaper.h"

struct generation {
    struct request_job job;
    struct generation_model model;
    struct generation_settings settings;
    const struct tokenizer *tokenizer; /* NULL: none */
    int64_t bos_token_id;              /* negative: the tokenizer's */
    struct prompt *prompts;            /* (n_prompts) */
    uint32_t n_prompts;
    char **stop_strings; /* (n_stop_strings) */
    uint32_t n_stop_strings;
    int32_t speculation; /* enum modelhost_speculation */

    struct modelhost_request *request; /* whose job this is, on the lane */
    /* Of its run, which may be suspended: */
    struct modelhost_model *owner;   /* of the instance; the request's */
    bool is_running;                 /* a lane is in it */
    struct generation_run run;       /* instance NULL: it has not begun, or has ended */
    struct modelhost_result *result; /* until the run has ended */
    struct sequence *sequences;      /* (n_prompts * num_sequences) */
    uint32_t n_sequences;            /* that were begun; [first_running, n_sequences) run */
    uint32_t first_running;
    uint32_t n_steps;       /* behind prompts */
    struct reaper_item end; /* of an instance that nobody wants any more */
    void (*on_token)(void *context, const struct modelhost_token *token);
    void *context;
};

/* request_job.run and .answer. */
model_status generation_run_job(struct request_job *job, struct modelhost_request *request,
                                struct modelhost_result **ret_result, struct model_error *err);
/* However a run ended: its instance's slots are free, and the most recent ones, as many as the model may remember,
 * known. Runs no plugin code. */
void generation_leave_slots(const struct modelhost_model *model, struct hosted_instance *instance);
model_status generation_answer_job(struct request_job *job, struct modelhost_result *result,
                                   struct model_error *err);

#endif
