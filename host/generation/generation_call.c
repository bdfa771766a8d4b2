/* generation_call.c - see generation_call.h. */
#include "generation_call.h"
#include "dtype.h"
#include "errors.h"
#include "loaded_model.h"
#include "result.h"

#include <string.h>

#define MASK "attention_mask"

/* ---- what is asked of which model */

static model_status find_output(const struct model_description *description,
                                struct generation_model *ret, struct model_error *err)
{
    static const char *const names[] = {"next_token_logits", "logits"};
    for (uint32_t i = 0; i < 2; i++) {
        const struct model_tensor_spec *spec =
            schema_find(description->outputs, description->n_outputs, names[i]);
        const uint32_t rank = i == 0 ? 2 : 3;
        if (spec == NULL || spec->dtype != MODEL_F32 || spec->rank != rank)
            continue;
        const struct model_dimension *width = &spec->shape[rank - 1];
        if (width->name != NULL || width->min < 1 ||
            (ret->output != NULL && width->min != ret->vocab_size))
            continue;
        if (i == 1)
            ret->every_output = names[i];
        if (ret->output != NULL)
            continue;
        ret->output = names[i];
        ret->vocab_size = width->min;
    }
    if (ret->output != NULL)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "this %s cannot generate: it has neither 'next_token_logits' of [batch, "
                     "vocab_size] nor 'logits' of [batch, sequence, vocab_size], F32",
                     description->architecture != NULL ? description->architecture : "model");
}

/* Whether prompts of different lengths can be read at once: the model takes a mask of the shape of its ids, and gives the
 * logits behind the last position that it shows. */
static bool takes_mask(const struct model_description *description,
                       const struct model_tensor_spec *ids, const struct generation_model *model)
{
    const struct model_tensor_spec *mask =
        schema_find(description->inputs, description->n_inputs, MASK);
    bool fits = mask != NULL && mask->dtype == MODEL_I64 && mask->rank == 2 &&
                model->output != model->every_output;
    for (uint32_t i = 0; i < 2 && fits; i++)
        fits = ids->shape[i].name != NULL && mask->shape[i].name != NULL &&
               strcmp(ids->shape[i].name, mask->shape[i].name) == 0;
    return fits;
}

model_status generation_model_find(const struct model_description *description,
                                   struct generation_model *ret, struct model_error *err)
{
    const struct model_tensor_spec *ids =
        schema_find(description->inputs, description->n_inputs, "input_ids");
    if (ids == NULL || ids->rank != 2 || ids->dtype != MODEL_I64)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "this model cannot generate: it has no input 'input_ids' of I64 and rank 2");
    if (description->task != NULL && strcmp(description->task, "text-generation") != 0)
        return error_set(err, MODEL_UNSUPPORTED, "this %s cannot generate: its task is %s",
                         description->architecture != NULL ? description->architecture : "model",
                         description->task);
    *ret = (struct generation_model){.description = description,
                                     .max_context = ids->shape[1].max,
                                     .max_slots = description->max_slots};
    model_status status = find_output(description, ret, err);
    ret->takes_mask = status == MODEL_OK && takes_mask(description, ids, ret);
    return status;
}

/* ---- one call */

void logits_finish(struct logits *logits)
{
    modelhost_result_destroy(logits->result);
    *logits = (struct logits){.result = NULL};
}

/* Into an empty result. */
static model_status call_plugin(const struct generation_run *run,
                                const struct generation_input *input,
                                struct modelhost_result *result, struct model_error *err)
{
    const int64_t shape[] = {input->n_rows, (int64_t)input->n_columns};
    const uint32_t n_inputs = input->mask != NULL ? 2 : 1;
    struct model_tensor ids = {.struct_size = sizeof ids}, mask = {.struct_size = sizeof mask};
    const struct model_tensor *inputs[] = {&ids, &mask};
    struct schema_binding binding;
    tensor_init(&ids, "input_ids", MODEL_I64, 2, shape, input->ids);
    tensor_init(&mask, MASK, MODEL_I64, 2, shape, input->mask);
    model_status status =
        schema_check_inputs(run->model->description, inputs, n_inputs, &binding, err);
    const struct plugin_call call = {.instance = run->instance,
                                     .plugin = &run->request->model->plugin.file,
                                     .inputs = inputs,
                                     .n_inputs = n_inputs,
                                     .binding = &binding,
                                     .slots = input->slots,
                                     .request = run->request,
                                     .cancelled = &run->request->cancelled,
                                     .progress = &run->request->progress,
                                     .deadline_ns = run->request->deadline_ns};
    if (status != MODEL_OK)
        return status;
    status = execute_call(&call, result, err);
    for (uint32_t i = 0; i < input->n_rows && input->slots != NULL && status != MODEL_OK; i++)
        hosted_instance_forget(run->instance, input->slots[i]);
    return status;
}

model_status generation_call(const struct generation_run *run, const struct generation_input *input,
                             bool wants_every, struct logits *ret, struct model_error *err)
{
    const struct generation_model *model = run->model;
    const char *output = wants_every ? model->every_output : model->output;
    struct modelhost_result *result = NULL;
    model_status status = result_create(model->description, &output, 1, &result, err);
    if (status != MODEL_OK)
        return status;
    status = call_plugin(run, input, result, err);
    if (status != MODEL_OK) {
        modelhost_result_destroy(result);
        return status;
    }
    run->timing->run_ns += result->timing.run_ns;
    const struct model_tensor *tensor = &result->tensors[0];
    const size_t width = (size_t)model->vocab_size, n_columns = input->n_columns;
    const size_t last = tensor->rank == 3 && !wants_every ? n_columns - 1 : 0;
    *ret = (struct logits){.result = result,
                           .data = (const float *)tensor->data + last * width,
                           .row_stride = tensor->rank == 3 ? n_columns * width : width,
                           .position_stride = width};
    return MODEL_OK;
}
