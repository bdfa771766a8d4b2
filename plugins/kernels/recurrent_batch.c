/* recurrent_batch.c - see recurrent_batch.h. */
#include "recurrent_batch.h"
#include "kernels.h"
#include "recurrent_slots.h"

#include <string.h>

/* The position of row `row` of the segment. */
static size_t position_of(const struct recurrent_batch *b, size_t row)
{
    const size_t item = b->first_item + row % b->run.n_items;
    const size_t step = b->first_step + row / b->run.n_items;
    return b->model->batch_first ? item * b->sequence + step : step * b->batch + item;
}

void recurrent_scatter(const struct recurrent_batch *batch, const float *x, size_t n, size_t width,
                       float *y)
{
    for (size_t i = 0; i < n; i++) {
        float *to = y + position_of(batch, batch->first_row + i) * width;
        if (batch->run.visible[batch->first_row + i] != 0)
            memcpy(to, x + i * width, width * sizeof *to);
        else
            memset(to, 0, width * sizeof *to);
    }
}

/* ---- groups and segments */

static void read_segment(struct recurrent_batch *b)
{
    struct recurrent_run *run = &b->run;
    const size_t width = recurrent_input_width(b->model->recurrent);
    const bool by_ids = recurrent_takes_ids(b->model->recurrent);
    run->all_visible = true;
    for (size_t row = 0; row < run->n_steps * run->n_items; row++) {
        const size_t position = position_of(b, row);
        if (by_ids)
            run->ids[row] = b->ids[position];
        else
            b->read(b->context, position, run->input + row * width);
        run->visible[row] = b->mask == NULL || b->mask[position] != 0;
        run->all_visible = run->all_visible && run->visible[row] != 0;
    }
}

static void write_segment(struct recurrent_batch *b, const float *y)
{
    const size_t width = recurrent_output_width(b->model->recurrent);
    const size_t n_rows = b->run.n_steps * b->run.n_items;
    const size_t capacity = recurrent_row_capacity(&b->run);
    for (size_t row = 0; row < n_rows; row += RECURRENT_BLOCK_ROWS) {
        const size_t left = n_rows - row;
        b->first_row = row;
        b->write(b->context, b, y + row * width,
                 left < RECURRENT_BLOCK_ROWS ? left : RECURRENT_BLOCK_ROWS, capacity - row);
    }
}

/* One of a group's two arrays of states from those of the batch, or back. */
static void copy_states(const struct recurrent_batch *b, float *batch, float *group, size_t width,
                        bool back)
{
    const size_t n = b->run.n_items * width, n_states = recurrent_n_states(b->model->recurrent);
    for (size_t i = 0; i < n_states && n > 0; i++) {
        float *row = batch + (i * b->batch + b->first_item) * width, *own = group + i * n;
        memcpy(back ? row : own, back ? own : row, n * sizeof *row);
    }
}

static void run_group(struct recurrent_batch *b)
{
    const struct recurrent *recurrent = b->model->recurrent;
    struct recurrent_run *run = &b->run;
    copy_states(b, b->h, run->h, recurrent_h_width(recurrent), false);
    copy_states(b, b->c, run->c, recurrent_c_width(recurrent), false);
    for (b->first_step = 0; b->first_step < b->sequence; b->first_step += run->n_steps) {
        const size_t left = b->sequence - b->first_step;
        run->n_steps = left < run->max_steps ? left : run->max_steps;
        read_segment(b);
        const float *y = recurrent_forward(recurrent, run);
        if (linear_runner_status(run->runner) != MODEL_OK)
            return;
        write_segment(b, y);
    }
    copy_states(b, b->h, run->h, recurrent_h_width(recurrent), true);
    copy_states(b, b->c, run->c, recurrent_c_width(recurrent), true);
}

/* ---- the call */

/* Divides the scratch. States that the caller wants are computed where they are wanted. */
static void layout(struct recurrent_batch *b, struct scratch *scratch)
{
    const struct recurrent *recurrent = b->model->recurrent;
    const size_t n = recurrent_n_states(recurrent) * b->batch * sizeof(float);
    float *h = scratch_take(scratch, n, recurrent_h_width(recurrent));
    float *c = scratch_take(scratch, n, recurrent_c_width(recurrent));
    recurrent_layout(recurrent, recurrent_group_items(b->batch), b->sequence, scratch, &b->run);
    b->block = scratch_take(scratch, 1, b->block_bytes);
    if (scratch->memory == NULL)
        return;
    b->h = b->h != NULL ? b->h : h;
    b->c = b->c != NULL ? b->c : c;
}

static void begin_states(struct recurrent_batch *b, const struct plugin_instance *instance,
                         const struct model_call *call)
{
    const struct recurrent *recurrent = b->model->recurrent;
    const struct model_tensor *h0 = call_input(call, "h0"), *c0 = call_input(call, "c0");
    const size_t n = recurrent_n_states(recurrent) * b->batch * sizeof(float);
    if (h0 == NULL && call->slots != NULL) {
        recurrent_slots_read(instance, call->slots, b->batch, b->h, b->c);
        return;
    }
    memset(b->h, 0, n * recurrent_h_width(recurrent));
    memset(b->c, 0, n * recurrent_c_width(recurrent));
    if (h0 != NULL)
        memcpy(b->h, h0->data, n * recurrent_h_width(recurrent));
    if (c0 != NULL)
        memcpy(b->c, c0->data, n * recurrent_c_width(recurrent));
}

model_status recurrent_batch_run(struct recurrent_batch *batch, struct plugin_instance *instance,
                                 const struct model_call *call, struct model_error *err)
{
    const struct model_services *services = kernels_services(batch->model->model.kernels);
    const size_t n_group = recurrent_group_items(batch->batch);
    struct scratch scratch = {NULL, 0};
    if (recurrent_c_width(batch->model->recurrent) > 0 &&
        (call_input(call, "h0") == NULL) != (call_input(call, "c0") == NULL))
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "'h0' and 'c0' are one state: give both, or neither");
    batch->run.runner = instance->runner;
    layout(batch, &scratch);
    scratch = (struct scratch){services->scratch(services->context, scratch.used), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the activations of a run");
    layout(batch, &scratch);
    begin_states(batch, instance, call);
    for (size_t i = 0; i < batch->batch && linear_runner_status(instance->runner) == MODEL_OK;
         i += n_group) {
        batch->first_item = i;
        batch->run.n_items = batch->batch - i < n_group ? batch->batch - i : n_group;
        run_group(batch);
    }
    return linear_runner_status(instance->runner);
}

const float *recurrent_batch_last(const struct recurrent_batch *batch)
{
    const struct recurrent *recurrent = batch->model->recurrent;
    return batch->h +
           (recurrent_n_states(recurrent) - 1) * batch->batch * recurrent_h_width(recurrent);
}

/* Visible positions of an item. */
static int64_t count_visible(const struct recurrent_batch *b, size_t item)
{
    int64_t n = 0;
    for (size_t step = 0; step < b->sequence; step++)
        n += b->mask == NULL ||
             b->mask[b->model->batch_first ? item * b->sequence + step : step * b->batch + item] !=
                 0;
    return n;
}

void recurrent_batch_keep(const struct recurrent_batch *batch, struct plugin_instance *instance,
                          const struct model_call *call)
{
    if (call->slots == NULL)
        return;
    const bool anew = call_input(call, "h0") != NULL;
    recurrent_slots_write(instance, call->slots, batch->batch, batch->h, batch->c);
    for (size_t item = 0; item < batch->batch; item++)
        recurrent_slots_count(instance, call->slots[item], count_visible(batch, item), anew);
}
