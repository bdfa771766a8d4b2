/* model_bench.h - how long the calls of one model take, with inputs made from its description.
 *
 * The time of a call is that of the public functions (modelhost_run(), modelhost_generate(); of what takes a tenth of a
 * second and more their asynchronous forms), so its way to a lane and back is inside. The model's own time is nobody's but the machine's: a caller says what else ran. One thread. */
#ifndef MODEL_BENCH_H
#define MODEL_BENCH_H

#include "loaded_model.h"
#include "run_times.h"

struct bench_options {
    int64_t batch, tokens;      /* of dimensions that are called so, within the model's bounds */
    int64_t height, width;      /* of pictures, within its bounds */
    int64_t n_new_tokens;       /* 0: run(); else so many are generated behind `tokens` */
    int64_t n_warmup;           /* calls that do not count */
    int64_t n_runs;             /* calls that do; 0: as many as seconds_ns allow, at least one */
    int64_t seconds_ns;         /* with n_runs 0 */
    const char *const *outputs; /* (n_outputs): which are asked for; 0: the usual ones */
    uint32_t n_outputs;
    /* Asked between calls, and several times a second in long ones: the bench ends with MODEL_CANCELLED when it
     * says so. NULL: never */
    bool (*interrupted)(void *context);
    void *context;
};

struct bench_result {
    struct run_times calls; /* of each counted call */
    struct run_times steps; /* generating: of the first prompt, token_steps.h */
    int64_t batch;          /* as they came to be, -1: the model has no such dimension */
    int64_t tokens;         /* of an item's input_ids */
    int64_t height, width;
    int64_t first_ns;              /* the first call, which makes what later ones use */
    int64_t prefill_ns, decode_ns; /* generating: all counted calls together */
    int64_t new_tokens;            /* of all counted calls */
    double multiply_adds;          /* of one call on average; 0: the plugin does not count them */
};

/* Counts from zero; finish it whatever becomes of it. Errors are those of the calls. */
model_status model_bench_run(struct modelhost_model *model, const struct bench_options *options,
                             struct bench_result *result, struct model_error *err);
void bench_result_finish(struct bench_result *result);

#endif
