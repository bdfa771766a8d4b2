/* trial_run.h - one run() of a trial's instance, held against every rule that a run has.
 *
 * Outputs lie in guarded memory. A run that breaks a rule (an output of another shape than described, one
 * that was not asked for or not given, a failure without a sentence, a status that is none, memory around
 * an output written to) is an error of trial_run() itself; what the plugin may return is in its result. */
#ifndef TRIAL_RUN_H
#define TRIAL_RUN_H

#include "made_inputs.h"
#include "subject.h"

struct run_options {
    const struct made_inputs *inputs;
    const char *output;       /* this one alone; NULL: all that are not on request */
    enum guarded_place place; /* of outputs */
    uint32_t cancelled;       /* the token when the run begins */
    uint32_t *token;          /* instead; to be raised by another thread. NULL: one of its own */
    int64_t deadline_ns;      /* 0: none */
    bool streams;             /* with a sink */
    uint32_t call_bytes;      /* struct_size of the call; 0: the whole */
};

struct run_result {
    model_status status; /* the plugin's */
    struct model_error err;
    struct model_tensor outputs[SCHEMA_MAX_TENSORS]; /* (n_outputs) when status is MODEL_OK */
    struct model_tensor *pointers[SCHEMA_MAX_TENSORS];
    struct guarded *blocks[SCHEMA_MAX_TENSORS];
    uint32_t n_outputs;
    uint32_t most_threads; /* of the process, seen while it ran; 0: not known */
    int64_t elapsed_ns;
    uint32_t n_emitted;
};

/* `instance` NULL: the trial's. Fills in *ret, which is to be finished in any case. False with a sentence
 * when a rule was broken. [lane-thread] */
bool trial_run(struct trial *trial, struct model_instance *instance,
               const struct run_options *options, struct run_result *ret, struct model_error *err);
void run_result_finish(struct run_result *result);

/* Sizes that the model accepts: the first of a few that a run succeeds with. False with a sentence when there
 * are none, or a rule was broken. */
bool trial_find_sizes(struct trial *trial, struct made_options *ret, struct model_error *err);

/* A trial that is loaded, and the sizes that it accepts; NULL with a sentence. */
struct trial *trial_start(struct subject *subject, struct made_options *ret_sizes,
                          struct model_error *err);
/* trial_end() and trial_destroy(); NULL does nothing. */
void trial_stop(struct trial *trial);

/* Threads of this process; 0: not known. */
uint32_t process_threads(void);

/* The largest difference of two equal-shaped tensors beside 1 + the largest magnitude; infinite when they
 * are not comparable. Integers differ by 0 or infinitely. */
double tensors_differ_by(const struct model_tensor *a, const struct model_tensor *b);
/* Whether two results have the same tensors, bit for bit; *ret_name is the first that is not so. */
bool results_are_equal(const struct run_result *a, const struct run_result *b,
                       const char **ret_name);

/* Late calls of outputs and sinks, which a plugin makes when its run() has returned, since the process
 * started. */
uint32_t late_calls(void);

#endif
