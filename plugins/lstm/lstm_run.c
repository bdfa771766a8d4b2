/* lstm_run.c - one run: ids or features in, outputs, states and logits out. [lane-thread] */
#include "lstm.h"

#include <string.h>

enum result { OUTPUT, H_N, C_N, LOGITS, NEXT_TOKEN_LOGITS, N_RESULTS };

struct run {
    const struct lstm *lstm;
    struct linear_runner *runner;
    const float *features;     /* (positions, input_size), or NULL */
    const int64_t *ids;        /* (positions), or NULL */
    float *results[N_RESULTS]; /* NULL: not wanted */
    struct recurrent_batch batch;
};

static void read_position(void *context, size_t position, float *x)
{
    const struct run *run = context;
    const size_t width = (size_t)run->lstm->config.input_size;
    if (run->features != NULL) {
        memcpy(x, run->features + position * width, width * sizeof *x);
    } else if (run->lstm->input == EMBEDDING) {
        embedding_read(&run->lstm->embed, (size_t)run->ids[position], x);
    } else {
        memset(x, 0, width * sizeof *x);
        x[run->ids[position]] = 1.0f;
    }
}

static void write_rows(void *context, const struct recurrent_batch *batch, const float *y, size_t n,
                       size_t capacity)
{
    const struct run *run = context;
    const size_t width = recurrent_output_width(run->lstm->base.recurrent);
    if (run->results[OUTPUT] != NULL)
        recurrent_scatter(batch, y, n, width, run->results[OUTPUT]);
    if (run->results[LOGITS] == NULL)
        return;
    if (capacity > RECURRENT_BLOCK_ROWS)
        capacity = RECURRENT_BLOCK_ROWS;
    linear_run(run->runner, run->lstm->head, y, n, capacity, batch->block);
    recurrent_scatter(batch, batch->block, n, (size_t)run->lstm->num_labels, run->results[LOGITS]);
}

static struct call_reader read_inputs(struct run *run, const struct model_call *call,
                                      struct model_error *err)
{
    const struct model_tensor *ids = call_input(call, "input_ids");
    const struct model_tensor *input = call_input(call, "input");
    struct call_reader r = {call, err, MODEL_OK, 0, 0};
    if ((ids == NULL) == (input == NULL)) {
        r.status = kernels_fail(err, MODEL_INVALID_ARGUMENT,
                                "want one of the inputs 'input_ids' and 'input', got %s",
                                ids == NULL ? "neither" : "both");
        return r;
    }
    r = call_read(call, ids != NULL ? "input_ids" : "input", err);
    run->features = input != NULL ? input->data : NULL;
    run->ids = take_ids(&r, "input_ids", run->lstm->vocab_size, "vocab_size");
    run->batch.mask = take_mask(&r, "attention_mask");
    if (!run->lstm->base.batch_first)
        r = (struct call_reader){call, err, r.status, r.sequence, r.batch};
    return r;
}

static model_status run_batch(struct run *run, struct plugin_instance *instance,
                              const struct model_call *call, struct model_error *err)
{
    struct recurrent_batch *batch = &run->batch;
    model_status status = recurrent_batch_run(batch, instance, call, err);
    if (status == MODEL_OK && run->results[NEXT_TOKEN_LOGITS] != NULL)
        linear_run(run->runner, run->lstm->head, recurrent_batch_last(batch), batch->batch,
                   batch->batch, run->results[NEXT_TOKEN_LOGITS]);
    status = status == MODEL_OK ? linear_runner_status(run->runner) : status;
    if (status == MODEL_OK)
        recurrent_batch_keep(batch, instance, call);
    return status;
}

model_status lstm_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err)
{
    static const char *const names[N_RESULTS] = {"output", "h_n", "c_n", "logits",
                                                 "next_token_logits"};
    struct plugin_instance *instance = (struct plugin_instance *)self;
    const struct model_description *description = &instance->model->description;
    const struct lstm *lstm = (const struct lstm *)instance->model;
    struct run run = {.lstm = lstm, .runner = instance->runner};
    linear_runner_begin(instance->runner, call->cancel, err);
    struct call_reader r = read_inputs(&run, call, err);
    for (uint32_t i = 0; i < description->n_outputs; i++)
        for (size_t result = 0; result < N_RESULTS; result++)
            if (strcmp(description->outputs[i]->name, names[result]) == 0)
                run.results[result] = take_described(&r, description->outputs[i]);
    if (r.status != MODEL_OK)
        return r.status;
    run.batch.model = &lstm->base;
    run.batch.batch = (size_t)r.batch;
    run.batch.sequence = (size_t)r.sequence;
    run.batch.h = run.results[H_N];
    run.batch.c = run.results[C_N];
    run.batch.ids = run.ids;
    run.batch.context = &run;
    run.batch.read = read_position;
    run.batch.write = write_rows;
    run.batch.block_bytes = RECURRENT_BLOCK_ROWS * (size_t)lstm->num_labels * sizeof(float);
    return run_batch(&run, instance, call, err);
}
