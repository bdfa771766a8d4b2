/* text_batch.c - texts to one padded batch, and the batch's answer; see text_pipeline.h. A batch copies
 * its texts: an asynchronous call returns before the answer is made. */
#include "dtype.h"
#include "errors.h"
#include "loaded_model.h"
#include "schema.h"
#include "text_task.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TEXTS      65536
#define MAX_TEXT_BYTES (64u << 20)
#define MAX_TOP_K      10000
#define DEFAULT_TOP_K  5

/* The task asked for by tag or alias, or the model's own. */
static model_status choose_task(const struct text_pipeline *pipeline, const char *name,
                                const struct text_task **ret, struct model_error *err)
{
    const char *wanted = name != NULL ? name : pipeline->description->task;
    if (wanted == NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the plugin names no task for this model; give one, or use tensors");
    struct buffer known = BUFFER_INIT(600);
    for (const struct text_task *task = text_tasks; task->name != NULL; task++) {
        if (strcmp(wanted, task->name) == 0 || strcmp(wanted, task->alias) == 0) {
            buffer_finish(&known);
            *ret = task;
            return MODEL_OK;
        }
        (void)buffer_printf(&known, "%s%s", known.size > 0 ? ", " : "", task->alias);
    }
    model_status status = error_set(err, MODEL_UNSUPPORTED, "unknown task '%s'; there are %s",
                                    wanted, known.data != NULL ? known.data : "none");
    buffer_finish(&known);
    return status;
}

static model_status choose_outputs(struct text_batch *batch, struct model_error *err)
{
    const struct model_description *description = batch->pipeline->description;
    for (uint32_t i = 0; i < 3 && batch->task->outputs[i] != NULL; i++) {
        const char *name = batch->task->outputs[i];
        if (schema_find(description->outputs, description->n_outputs, name) == NULL && i == 0 &&
            batch->task->fallback != NULL)
            name = batch->task->fallback;
        if (schema_find(description->outputs, description->n_outputs, name) == NULL)
            return error_set(
                err, MODEL_UNSUPPORTED,
                "task %s wants the output '%s', which this %s does not have; its own task is %s",
                batch->task->alias, batch->task->outputs[i], description->architecture,
                text_task_own(batch));
        batch->output_names[batch->n_output_names++] = name;
    }
    return MODEL_OK;
}

static char *copy_text(const char *text, size_t size_bytes)
{
    char *copy = malloc(size_bytes + 1);
    if (copy != NULL) {
        memcpy(copy, text, size_bytes);
        copy[size_bytes] = '\0';
    }
    return copy;
}

static model_status take_text(struct text_batch *batch, uint32_t index,
                              const struct modelhost_text *text, struct model_error *err)
{
    struct text_item *item = &batch->items[index];
    if (!MODEL_HAS(struct modelhost_text, text, pair_bytes) || text->text == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "text %u is NULL or has no struct_size",
                         index + 1);
    if (text->text_bytes > MAX_TEXT_BYTES || text->pair_bytes > MAX_TEXT_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "text %u is longer than %u bytes", index + 1,
                         MAX_TEXT_BYTES);
    if (batch->task->wants_pair && text->pair == NULL)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "text %u: a question wants its context; give it as the second text (--context)",
            index + 1);
    item->text = copy_text(text->text, text->text_bytes);
    item->text_bytes = text->text_bytes;
    if (text->pair != NULL) {
        item->pair = copy_text(text->pair, text->pair_bytes);
        item->pair_bytes = text->pair_bytes;
    }
    return item->text != NULL && (text->pair == NULL || item->pair != NULL)
               ? MODEL_OK
               : error_no_memory(err, "a text");
}

/* About how many tokens a text will have: four bytes make one, and two are special. */
static uint64_t estimate_tokens(const struct text_item *item)
{
    return (item->text_bytes + item->pair_bytes) / 4 + 2;
}

static model_status encode(struct text_batch *batch, uint32_t index, const uint32_t *cancelled,
                           struct model_error *err)
{
    struct text_item *item = &batch->items[index];
    int64_t max_tokens = batch->task->answer == task_embed_answer
                             ? batch->pipeline->max_embed_tokens
                             : batch->pipeline->max_tokens;
    /* The model's limit rules, not what tokenizer.json was saved with; rows are padded by lay_out(). */
    struct tokenizer_options options = {
        .add_special_tokens = true,
        .truncation = batch->truncate ? TOKENIZER_ON : TOKENIZER_OFF,
        .max_tokens = max_tokens,
        .strategy = batch->task->wants_pair ? TRUNCATE_ONLY_SECOND : TRUNCATE_LONGEST_FIRST,
        .padding = TOKENIZER_OFF,
        .cancelled = cancelled};
    model_status status =
        tokenizer_encode(batch->pipeline->tokenizer, item->text, item->text_bytes, item->pair,
                         item->pair_bytes, &options, &item->encoding, err);
    if (status != MODEL_OK) {
        if (status == MODEL_INVALID_ARGUMENT) /* the text is at fault */
            error_prefix(err, "text %u", index + 1);
        return status;
    }
    if ((int64_t)item->encoding.n_tokens > max_tokens)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "text %u has %zu tokens, the model takes at most %lld; shorten it or let it be "
            "cut (--truncate)",
            index + 1, (size_t)item->encoding.n_tokens, (long long)max_tokens);
    if (item->encoding.n_tokens > batch->n_columns)
        batch->n_columns = (uint32_t)item->encoding.n_tokens;
    return MODEL_OK;
}

static void add_tensor(struct text_batch *batch, const char *name, int64_t *data)
{
    const struct model_description *description = batch->pipeline->description;
    if (schema_find(description->inputs, description->n_inputs, name) == NULL)
        return;
    int64_t shape[2] = {batch->n_items, batch->n_columns};
    tensor_init(&batch->tensors[batch->n_inputs], name, MODEL_I64, 2, shape, data);
    batch->inputs[batch->n_inputs] = &batch->tensors[batch->n_inputs];
    batch->n_inputs++;
}

static model_status lay_out(struct text_batch *batch, struct model_error *err)
{
    size_t n = (size_t)batch->n_items * batch->n_columns;
    int64_t pad_id = tokenizer_pad_id(batch->pipeline->tokenizer);
    batch->ids = calloc(n + 1, sizeof *batch->ids);
    batch->mask = calloc(n + 1, sizeof *batch->mask);
    batch->type_ids = calloc(n + 1, sizeof *batch->type_ids);
    if (batch->ids == NULL || batch->mask == NULL || batch->type_ids == NULL)
        return error_no_memory(err, "a batch");
    for (uint32_t i = 0; i < batch->n_items; i++) {
        const struct encoding *encoding = &batch->items[i].encoding;
        size_t row = (size_t)i * batch->n_columns;
        for (size_t t = 0; t < batch->n_columns; t++) {
            int there = t < encoding->n_tokens;
            batch->ids[row + t] = there ? encoding->ids[t] : pad_id >= 0 ? pad_id : 0;
            batch->mask[row + t] = there;
            batch->type_ids[row + t] = there ? encoding->type_ids[t] : 0;
        }
    }
    add_tensor(batch, "input_ids", batch->ids);
    add_tensor(batch, "attention_mask", batch->mask);
    add_tensor(batch, "token_type_ids", batch->type_ids);
    return MODEL_OK;
}

static model_status take_wishes(struct text_batch *batch,
                                const struct modelhost_run_options *options,
                                struct model_error *err)
{
    batch->truncate = options != NULL && options->truncate != 0;
    batch->top_k = options != NULL && options->top_k > 0 ? options->top_k : DEFAULT_TOP_K;
    if (batch->top_k > MAX_TOP_K)
        return error_set(err, MODEL_INVALID_ARGUMENT, "top_k is %u, at most %d", batch->top_k,
                         MAX_TOP_K);
    model_status status =
        choose_task(batch->pipeline, options != NULL ? options->task : NULL, &batch->task, err);
    return status == MODEL_OK ? choose_outputs(batch, err) : status;
}

model_status text_batch_tokenize(struct text_batch *batch, const uint32_t *cancelled,
                                 struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++)
        status = encode(batch, i, cancelled, err);
    if (status == MODEL_OK && batch->task->check != NULL)
        status = batch->task->check(batch, err);
    return status == MODEL_OK ? lay_out(batch, err) : status;
}

static model_status prepare_job(struct request_job *job, struct modelhost_request *request,
                                struct model_error *err)
{
    struct text_batch *batch = (struct text_batch *)job;
    model_status status = text_batch_tokenize(batch, &request->cancelled, err);
    return status == MODEL_OK ? request_set_inputs(request, batch->inputs, batch->n_inputs, err)
                              : status;
}

static model_status answer_job(struct request_job *job, struct modelhost_result *result,
                               struct model_error *err)
{
    return text_batch_answer((struct text_batch *)job, result, err);
}

/* The tasks and names of outputs that it has are nobody's memory. */
static model_status rebind_job(struct request_job *job, struct modelhost_model *model,
                               struct model_error *err)
{
    struct text_pipeline *pipeline = NULL;
    model_status status = loaded_model_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        ((struct text_batch *)job)->pipeline = pipeline;
    return status;
}

static void destroy_job(struct request_job *job)
{
    text_batch_destroy((struct text_batch *)job);
}

struct request_job *text_batch_job(struct text_batch *batch)
{
    return &batch->job;
}

model_status text_batch_create(const struct text_pipeline *pipeline,
                               const struct modelhost_text *texts, uint32_t n_texts,
                               const struct modelhost_run_options *options, struct text_batch **ret,
                               struct model_error *err)
{
    if (n_texts == 0 || n_texts > MAX_TEXTS || texts == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u texts, want 1 to %d", n_texts, MAX_TEXTS);
    struct text_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return error_no_memory(err, "a batch");
    batch->job = (struct request_job){
        .prepare = prepare_job, .answer = answer_job, .destroy = destroy_job, .rebind = rebind_job};
    batch->pipeline = pipeline;
    batch->items = calloc(n_texts, sizeof *batch->items);
    batch->n_items = batch->items != NULL ? n_texts : 0;
    model_status status =
        batch->items != NULL ? take_wishes(batch, options, err) : error_no_memory(err, "a batch");
    batch->job.n_items = batch->n_items;
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++) {
        status = take_text(batch, i, &texts[i], err);
        batch->job.n_tokens += estimate_tokens(&batch->items[i]);
    }
    if (status != MODEL_OK)
        text_batch_destroy(batch);
    else
        *ret = batch;
    return status;
}

void text_batch_destroy(struct text_batch *batch)
{
    if (batch == NULL)
        return;
    for (uint32_t i = 0; i < batch->n_items; i++) {
        encoding_finish(&batch->items[i].encoding);
        free(batch->items[i].text);
        free(batch->items[i].pair);
    }
    free(batch->items);
    free(batch->ids);
    free(batch->mask);
    free(batch->type_ids);
    free(batch);
}

const struct model_tensor *const *text_batch_inputs(const struct text_batch *batch,
                                                    uint32_t *ret_n_inputs)
{
    *ret_n_inputs = batch->n_inputs;
    return batch->inputs;
}

const char *const *text_batch_output_names(const struct text_batch *batch, uint32_t *ret_n_names)
{
    *ret_n_names = batch->n_output_names;
    return batch->output_names;
}

model_status text_batch_answer(const struct text_batch *batch, struct modelhost_result *result,
                               struct model_error *err)
{
    json_node *answers = json_new_array();
    model_status status = answers != NULL ? batch->task->answer(batch, result, answers, err)
                                          : error_no_memory(err, "the answer");
    if (status == MODEL_OK) {
        result->json = json_print(answers, false);
        if (result->json == NULL)
            status = error_no_memory(err, "the answer");
    }
    json_free(answers);
    return status;
}
