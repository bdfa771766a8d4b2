/* run_texts.c - the text form of `modelhost run`.
 *
 * Texts run in chunks, so that a padded batch stays small whatever comes in: consecutive texts, as many
 * as fit MAX_CHUNK_SLOTS when all are as long as the longest. A chunk's answers are printed before the
 * next is read. A chunk owns copies of its texts. Main thread only. */
#include "cmd_run.h"
#include "clock.h"
#include "errors.h"
#include "json_array.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CHUNK_SLOTS  2048 /* tokens of a batch, padding included; a text alone may have more */
#define MAX_CHUNK_TEXTS  1024
#define MAX_CHUNK_BYTES  (4u << 20)
#define N_SPECIAL_TOKENS 3 /* [CLS], [SEP] and [SEP] */

struct text_run {
    const struct run_command *run;
    struct modelhost_model *model;
    size_t max_tokens; /* of one text */
    size_t max_texts;  /* of a chunk */
    struct modelhost_text texts[MAX_CHUNK_TEXTS];
    char *owned[MAX_CHUNK_TEXTS]; /* (n_texts) */
    size_t n_texts, longest_tokens, n_bytes;
    size_t n_done, n_printed; /* texts of chunks before; those of them whose answers are out */
    struct modelhost_timing timing;
    struct json_array array;
};

/* The model's limit, SIZE_MAX when there is none. */
static size_t sequence_limit(const struct modelhost_model *model)
{
    const struct model_description *description = modelhost_description(model);
    const struct model_tensor_spec *ids =
        schema_find(description->inputs, description->n_inputs, "input_ids");
    return ids != NULL && ids->rank == 2 && ids->shape[1].max > 0 && ids->shape[1].max < INT32_MAX
               ? (size_t)ids->shape[1].max
               : SIZE_MAX;
}

/* A token has a byte at least. */
static size_t most_tokens(const struct text_run *texts, size_t text_bytes)
{
    size_t n = text_bytes + N_SPECIAL_TOKENS;
    n += texts->run->pair != NULL ? strlen(texts->run->pair) : 0;
    return n < texts->max_tokens ? n : texts->max_tokens;
}

static bool chunk_has_room(const struct text_run *texts, size_t text_bytes)
{
    size_t n_tokens = most_tokens(texts, text_bytes);
    size_t longest = n_tokens > texts->longest_tokens ? n_tokens : texts->longest_tokens;
    return texts->n_texts == 0 || (texts->n_texts < texts->max_texts &&
                                   longest <= MAX_CHUNK_SLOTS / (texts->n_texts + 1) &&
                                   text_bytes <= MAX_CHUNK_BYTES - texts->n_bytes);
}

static void clear_chunk(struct text_run *texts)
{
    for (size_t i = 0; i < texts->n_texts; i++)
        free(texts->owned[i]);
    texts->n_done += texts->n_texts;
    texts->n_texts = texts->longest_tokens = texts->n_bytes = 0;
}

/* modelhost_run_text() counts the texts of its batch: "text 2 ..." becomes "text 502 ...", and whatever
 * else went wrong is said of the whole chunk. */
static void name_texts(const struct text_run *texts, struct model_error *err)
{
    if (texts->n_done == 0)
        return;
    char sentence[sizeof err->message], *rest = sentence;
    memcpy(sentence, err->message, sizeof sentence);
    size_t index = strncmp(sentence, "text ", 5) == 0 ? strtoul(sentence + 5, &rest, 10) : 0;
    if (index >= 1 && index <= texts->n_texts)
        (void)error_set(err, MODEL_OK, "text %zu%s", texts->n_done + index, rest);
    else
        error_prefix(err, "texts %zu to %zu", texts->n_done + 1, texts->n_done + texts->n_texts);
}

static model_status run_chunk(struct text_run *texts, struct model_error *err)
{
    const struct run_command *run = texts->run;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = texts->n_done == 0 ? run_time_left_ms(run) : run->timeout_ms;
    options.top_k = run->top_k > 0 ? (uint32_t)run->top_k : 0;
    options.truncate = run->truncate;
    options.task = run->task;
    struct modelhost_result *result = NULL;
    model_status status = modelhost_run_text(texts->model, texts->texts, (uint32_t)texts->n_texts,
                                             &options, &result, err);
    if (status != MODEL_OK) {
        name_texts(texts, err);
        return status;
    }
    const char *answers = modelhost_result_json(result);
    status =
        run->as_json ? json_array_print(&texts->array, answers, err) : print_answers(answers, err);
    if (status == MODEL_OK) {
        struct modelhost_timing timing = modelhost_result_timing(result);
        texts->timing.total_ns += timing.total_ns;
        texts->timing.run_ns += timing.run_ns;
        texts->n_printed += texts->n_texts;
    }
    modelhost_result_destroy(result);
    clear_chunk(texts);
    return status;
}

/* Runs the chunk first when it is full. */
static model_status add_text(struct text_run *texts, const char *text, size_t text_bytes,
                             struct model_error *err)
{
    model_status status = chunk_has_room(texts, text_bytes) ? MODEL_OK : run_chunk(texts, err);
    if (status != MODEL_OK)
        return status;
    char *own = malloc(text_bytes + 1);
    if (own == NULL)
        return error_no_memory(err, "a text");
    memcpy(own, text, text_bytes);
    own[text_bytes] = '\0';
    const char *pair = texts->run->pair;
    texts->owned[texts->n_texts] = own;
    texts->texts[texts->n_texts] = (struct modelhost_text){
        sizeof(struct modelhost_text), own, text_bytes, pair, pair != NULL ? strlen(pair) : 0};
    texts->n_texts++;
    size_t n_tokens = most_tokens(texts, text_bytes);
    texts->longest_tokens = n_tokens > texts->longest_tokens ? n_tokens : texts->longest_tokens;
    texts->n_bytes += text_bytes < MAX_CHUNK_BYTES - texts->n_bytes
                          ? text_bytes
                          : MAX_CHUNK_BYTES - texts->n_bytes;
    return MODEL_OK;
}

static model_status run_all(struct text_run *texts, struct model_error *err)
{
    const struct run_command *run = texts->run;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < run->texts.n_values && status == MODEL_OK; i++)
        status = add_text(texts, run->texts.values[i], strlen(run->texts.values[i]), err);
    if (run->texts.n_values == 0 && isatty(STDIN_FILENO) && run->verbosity >= 0)
        fprintf(stderr,
                "modelhost: reading texts from standard input, one a line; end with Ctrl-D\n");
    size_t line_bytes = 0;
    for (const char *line; run->texts.n_values == 0 && status == MODEL_OK &&
                           (line = command_next_line(&line_bytes, &status, err)) != NULL;)
        status = add_text(texts, line, line_bytes, err);
    if (status == MODEL_OK && texts->n_texts > 0)
        return run_chunk(texts, err);
    if (status == MODEL_OK)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "no text: give --text, or lines on standard input");
    return status;
}

void run_print_timing(const struct run_command *run, const struct modelhost_timing *timing,
                      size_t n_items, const char *item)
{
    if (run->verbosity < 0)
        return;
    command_say(run->log_format, "%zu %s%s in %.1f ms (model %.1f ms, load %.1f ms)", n_items, item,
                n_items == 1 ? "" : "s", (double)timing->total_ns / NS_PER_MS,
                (double)timing->run_ns / NS_PER_MS, (double)run->load_ns / NS_PER_MS);
}

model_status run_texts(const struct run_command *run, struct modelhost_model *model,
                       struct model_error *err)
{
    struct text_run *texts = calloc(1, sizeof *texts);
    if (texts == NULL)
        return error_no_memory(err, "texts");
    texts->run = run;
    texts->model = model;
    texts->max_tokens = sequence_limit(model);
    int64_t max_batch = modelhost_description(model)->max_batch; /* 0: not said */
    texts->max_texts =
        max_batch > 0 && max_batch < MAX_CHUNK_TEXTS ? (size_t)max_batch : MAX_CHUNK_TEXTS;
    model_status status = run_all(texts, err);
    struct model_error unheard = MODEL_ERROR_INIT;
    model_status ended = json_array_end(&texts->array, status == MODEL_OK ? err : &unheard);
    if (status == MODEL_OK)
        status = ended != MODEL_OK ? ended : command_flush(err);
    if (status == MODEL_OK)
        run_print_timing(run, &texts->timing, texts->n_printed, "text");
    clear_chunk(texts);
    free(texts);
    return status;
}
