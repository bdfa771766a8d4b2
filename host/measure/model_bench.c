/* model_bench.c - see model_bench.h. Prompts differ from call to call, so that no call finds the keys and values of an
 * earlier one. */
#include "model_bench.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "made_inputs.h"
#include "plugin_counters.h"
#include "stoppable_call.h"
#include "token_steps.h"

#include <string.h>

#define MAX_PROMPTS 1024              /* in one call */
#define SHORT_NS    (100 * NS_PER_MS) /* of a call: it is over before a signal is worth a look */

struct bench {
    struct modelhost_model *model;
    const struct bench_options *options;
    struct bench_result *result;
    struct made_inputs *inputs;
    struct stop_question stop;
    int64_t last_ns; /* how long the last call took */
    /* Of the generating call that runs. [lane-thread] */
    struct token_steps steps;
    bool counts;
    model_status token_status;
    struct model_error token_err;
};

static model_status make_inputs(struct bench *bench, uint64_t seed, struct model_error *err)
{
    const struct bench_options *options = bench->options;
    const struct made_options made = {.batch = options->batch,
                                      .picture = options->height,
                                      .picture_width = options->width,
                                      .other = options->tokens,
                                      .seed = seed};
    struct made_inputs *inputs =
        made_inputs_create(modelhost_description(bench->model), bench->model->config, &made, err);
    if (inputs == NULL)
        return MODEL_INVALID_ARGUMENT; /* too large, as err says, or no memory for it */
    made_inputs_destroy(bench->inputs);
    bench->inputs = inputs;
    return MODEL_OK;
}

/* The size of a dimension of this name in what was made; -1: none has it. */
static int64_t size_of(const struct bench *bench, const char *name)
{
    const struct model_description *description = modelhost_description(bench->model);
    for (uint32_t i = 0; i < bench->inputs->n; i++) {
        const struct model_tensor *tensor = bench->inputs->list[i];
        const struct model_tensor_spec *spec =
            schema_find(description->inputs, description->n_inputs, tensor->name);
        for (uint32_t k = 0; k < spec->rank; k++)
            if (spec->shape[k].name != NULL && strcmp(spec->shape[k].name, name) == 0)
                return tensor->shape[k];
    }
    return -1;
}

static const struct model_tensor *find_input(const struct bench *bench, const char *name)
{
    for (uint32_t i = 0; i < bench->inputs->n; i++)
        if (strcmp(bench->inputs->list[i]->name, name) == 0)
            return bench->inputs->list[i];
    return NULL;
}

/* Generating goes by the rows of input_ids, whatever their dimensions are called. */
static void note_sizes(struct bench *bench)
{
    struct bench_result *result = bench->result;
    const struct model_tensor *ids = find_input(bench, "input_ids");
    const struct model_tensor *pixels = find_input(bench, "pixel_values");
    const bool has_rows = bench->options->n_new_tokens > 0 && ids != NULL && ids->rank == 2;
    result->batch = has_rows ? ids->shape[0] : size_of(bench, "batch");
    result->tokens = has_rows            ? ids->shape[1]
                     : ids == NULL       ? -1
                     : result->batch > 0 ? (int64_t)(tensor_elements(ids)) / result->batch
                                         : (int64_t)tensor_elements(ids);
    result->height = pixels != NULL && pixels->rank == 4 ? pixels->shape[2] : -1;
    result->width = pixels != NULL && pixels->rank == 4 ? pixels->shape[3] : -1;
}

/* ---- one call of either kind: one that may take long can be ended, a short one pays for itself alone */

static model_status run_tensors(struct bench *bench, struct model_error *err)
{
    const struct modelhost_run_options options = {.struct_size = sizeof options,
                                                  .output_names = bench->options->outputs,
                                                  .n_output_names = bench->options->n_outputs};
    struct modelhost_result *result = NULL;
    const int64_t start_ns = clock_now_ns();
    model_status status = bench->last_ns < SHORT_NS
                              ? modelhost_run(bench->model, bench->inputs->list, bench->inputs->n,
                                              &options, &result, err)
                              : stoppable_run(bench->model, bench->inputs->list, bench->inputs->n,
                                              &options, &bench->stop, &result, err);
    const int64_t end_ns = clock_now_ns();
    modelhost_result_destroy(result);
    if (status == MODEL_OK && bench->counts)
        status = run_times_add(&bench->result->calls, end_ns - start_ns, err);
    return status;
}

/* [lane-thread] */
static void take_token(void *context, const struct modelhost_token *token)
{
    struct bench *bench = context;
    const int64_t now_ns = clock_now_ns();
    if (token->token_id < 0)
        return;
    const int64_t step_ns = token_steps_take(&bench->steps, token->prompt, now_ns);
    if (step_ns >= 0 && bench->counts && bench->token_status == MODEL_OK)
        bench->token_status = run_times_add(&bench->result->steps, step_ns, &bench->token_err);
}

static model_status generate(struct bench *bench, struct model_error *err)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_prompt prompts[MAX_PROMPTS];
    struct modelhost_result *result = NULL;
    const struct model_tensor *ids = find_input(bench, "input_ids");
    const uint32_t n = (uint32_t)bench->result->batch;
    for (uint32_t i = 0; i < n; i++)
        prompts[i] = (struct modelhost_prompt){.struct_size = sizeof prompts[i],
                                               .token_ids = (const int64_t *)ids->data +
                                                            (int64_t)i * bench->result->tokens,
                                               .n_token_ids = (size_t)bench->result->tokens};
    generation.max_new_tokens = bench->options->n_new_tokens;
    generation.do_sample = 0;
    generation.ignore_eos = 1;
    generation.speculation = bench->model->load.speculation == MODELHOST_SPECULATION_PROMPT
                                 ? MODELHOST_SPECULATION_PROMPT
                                 : MODELHOST_SPECULATION_OFF; /* a step is a token */
    generation.on_token = take_token;
    generation.context = bench;
    bench->steps = (struct token_steps){0};
    const int64_t start_ns = clock_now_ns();
    model_status status =
        bench->last_ns < SHORT_NS
            ? modelhost_generate(bench->model, prompts, n, &generation, NULL, &result, err)
            : stoppable_generate(bench->model, prompts, n, &generation, &bench->stop, &result, err);
    const int64_t end_ns = clock_now_ns();
    if (status == MODEL_OK && bench->token_status != MODEL_OK)
        status = error_set(err, bench->token_status, "%s", bench->token_err.message);
    if (status == MODEL_OK && bench->counts) {
        const struct modelhost_timing timing = modelhost_result_timing(result);
        bench->result->prefill_ns += timing.prefill_ns;
        bench->result->decode_ns += timing.decode_ns;
        bench->result->new_tokens += timing.new_tokens;
        status = run_times_add(&bench->result->calls, end_ns - start_ns, err);
    }
    modelhost_result_destroy(result);
    return status;
}

/* All but the last of the new tokens are read, too. */
static model_status check_context(const struct bench *bench, int64_t n_prompt,
                                  struct model_error *err)
{
    const struct model_description *description = modelhost_description(bench->model);
    const int64_t max_context =
        schema_find(description->inputs, description->n_inputs, "input_ids")->shape[1].max;
    const int64_t n_new = bench->options->n_new_tokens;
    if (n_prompt <= max_context - (n_new - 1))
        return MODEL_OK;
    if (n_new > max_context)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%lld new tokens do not fit into the model's context of %lld; want "
                         "--new-tokens of at most %lld, behind a prompt of 1",
                         (long long)n_new, (long long)max_context, (long long)max_context);
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "%lld new tokens do not fit behind %lld in the model's context of %lld; want "
                     "--tokens of at most %lld, or fewer --new-tokens",
                     (long long)n_new, (long long)n_prompt, (long long)max_context,
                     (long long)(max_context - (n_new - 1)));
}

static model_status check_generating(const struct bench *bench, struct model_error *err)
{
    const struct model_tensor *ids = find_input(bench, "input_ids");
    if (ids == NULL || ids->dtype != MODEL_I64 || ids->rank != 2)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "the model has no input_ids [batch, sequence], it generates nothing; leave "
            "out --new-tokens");
    if (ids->shape[0] < 1 || ids->shape[0] > MAX_PROMPTS || ids->shape[1] < 1)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%lld prompts of %lld tokens, want 1 to %d of at least one; give another "
                         "--batch or --tokens",
                         (long long)ids->shape[0], (long long)ids->shape[1], MAX_PROMPTS);
    return check_context(bench, ids->shape[1], err);
}

static model_status call(struct bench *bench, uint64_t index, struct model_error *err)
{
    if (bench->options->interrupted != NULL && bench->options->interrupted(bench->options->context))
        return error_set(err, MODEL_CANCELLED, "interrupted");
    if (bench->options->n_new_tokens == 0)
        return run_tensors(bench, err);
    model_status status = make_inputs(bench, index, err);
    return status == MODEL_OK ? generate(bench, err) : status;
}

/* ---- all of them */

static uint64_t counted(const struct bench *bench)
{
    return plugin_counters_value(metrics_plugin_counters(bench->model->metrics.series),
                                 "multiply_adds");
}

/* The first one is noted, whether it counts or not. */
static model_status timed_call(struct bench *bench, uint64_t index, struct model_error *err)
{
    const int64_t start_ns = clock_now_ns();
    model_status status = call(bench, index, err);
    bench->last_ns = clock_now_ns() - start_ns;
    if (bench->result->first_ns == 0)
        bench->result->first_ns = bench->last_ns;
    return status;
}

static model_status run_all(struct bench *bench, struct model_error *err)
{
    const struct bench_options *options = bench->options;
    struct bench_result *result = bench->result;
    uint64_t index = 1;
    model_status status = MODEL_OK;
    for (int64_t i = 0; i < options->n_warmup && status == MODEL_OK; i++)
        status = timed_call(bench, index++, err);
    const uint64_t before = counted(bench);
    const int64_t end_ns = clock_now_ns() + options->seconds_ns;
    bench->counts = true;
    for (int64_t i = 0;
         status == MODEL_OK &&
         (options->n_runs > 0 ? i < options->n_runs : i == 0 || clock_now_ns() < end_ns);
         i++)
        status = timed_call(bench, index++, err);
    if (result->calls.n > 0)
        result->multiply_adds = (double)(counted(bench) - before) / (double)result->calls.n;
    return status;
}

model_status model_bench_run(struct modelhost_model *model, const struct bench_options *options,
                             struct bench_result *result, struct model_error *err)
{
    struct bench bench = {.model = model,
                          .options = options,
                          .result = result,
                          .stop = {options->interrupted, options->context},
                          .last_ns = INT64_MAX,
                          .token_err = MODEL_ERROR_INIT};
    *result = (struct bench_result){.batch = -1};
    model_status status = make_inputs(&bench, 0, err);
    if (status == MODEL_OK)
        note_sizes(&bench);
    if (status == MODEL_OK && options->n_new_tokens > 0)
        status = check_generating(&bench, err);
    if (status == MODEL_OK)
        status = run_all(&bench, err);
    made_inputs_destroy(bench.inputs);
    return status;
}

void bench_result_finish(struct bench_result *result)
{
    run_times_finish(&result->calls);
    run_times_finish(&result->steps);
}
