/* run_texts.c - the text form of `modelhost run`. */
#include "cmd_run.h"
#include "clock.h"
#include "errors.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TEXTS 65536

struct text_list {
    struct modelhost_text *texts; /* (n_texts) */
    char **owned;                 /* (n_texts), NULL entries: argv's */
    size_t n_texts, capacity;
};

static model_status add_text(struct text_list *list, const char *text, size_t text_bytes,
                             const char *pair, bool copy, struct model_error *err)
{
    if (list->n_texts == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        struct modelhost_text *texts = realloc(list->texts, capacity * sizeof *texts);
        list->texts = texts != NULL ? texts : list->texts;
        char **owned = realloc(list->owned, capacity * sizeof *owned);
        list->owned = owned != NULL ? owned : list->owned;
        if (texts == NULL || owned == NULL || capacity > MAX_TEXTS * 2)
            return error_set(err, MODEL_INVALID_ARGUMENT, "more than %d texts", MAX_TEXTS);
        list->capacity = capacity;
    }
    char *own = NULL;
    if (copy) {
        own = malloc(text_bytes + 1);
        if (own == NULL)
            return error_no_memory(err, "a text");
        memcpy(own, text, text_bytes);
        own[text_bytes] = '\0';
    }
    list->owned[list->n_texts] = own;
    list->texts[list->n_texts++] =
        (struct modelhost_text){sizeof(struct modelhost_text), own != NULL ? own : text, text_bytes,
                                pair, pair != NULL ? strlen(pair) : 0};
    return MODEL_OK;
}

static void finish_texts(struct text_list *list)
{
    for (size_t i = 0; i < list->n_texts; i++)
        free(list->owned[i]);
    free(list->owned);
    free(list->texts);
}

static model_status collect_texts(const struct run_command *run, struct text_list *list,
                                  struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < run->n_texts && status == MODEL_OK; i++)
        status = add_text(list, run->texts[i], strlen(run->texts[i]), run->pair, false, err);
    if (run->n_texts > 0)
        return status;
    if (isatty(STDIN_FILENO) && run->verbosity >= 0)
        fprintf(stderr,
                "modelhost: reading texts from standard input, one a line; end with Ctrl-D\n");
    size_t line_bytes = 0;
    for (const char *line;
         status == MODEL_OK && (line = command_next_line(&line_bytes, &status, err)) != NULL;)
        status = add_text(list, line, line_bytes, run->pair, true, err);
    if (status == MODEL_OK && list->n_texts == 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "no text: give --text, or lines on standard input");
    return status;
}

void run_print_timing(const struct run_command *run, const struct modelhost_result *result,
                      size_t n_items, const char *item)
{
    if (run->verbosity < 0)
        return;
    struct modelhost_timing timing = modelhost_result_timing(result);
    fprintf(stderr, "modelhost: %zu %s%s in %.1f ms (model %.1f ms, load %.1f ms)\n", n_items, item,
            n_items == 1 ? "" : "s", (double)timing.total_ns / NS_PER_MS,
            (double)timing.run_ns / NS_PER_MS, (double)run->load_ns / NS_PER_MS);
}

static model_status run_list(const struct run_command *run, struct modelhost_model *model,
                             const struct text_list *list, struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = run->timeout_ms;
    options.top_k = (uint32_t)run->top_k;
    options.truncate = run->truncate;
    options.task = run->task;
    struct modelhost_result *result = NULL;
    model_status status =
        modelhost_run_text(model, list->texts, (uint32_t)list->n_texts, &options, &result, err);
    if (status != MODEL_OK)
        return status;
    const char *answers = modelhost_result_json(result);
    if (!run->as_json) {
        status = print_answers(answers, err);
    } else if (puts(answers) < 0 || fflush(stdout) != 0) {
        status = error_set(err, MODEL_IO, "cannot write to standard output");
    }
    if (status == MODEL_OK)
        run_print_timing(run, result, list->n_texts, "text");
    modelhost_result_destroy(result);
    return status;
}

model_status run_texts(const struct run_command *run, struct modelhost_model *model,
                       struct model_error *err)
{
    struct text_list list = {0};
    model_status status = collect_texts(run, &list, err);
    if (status == MODEL_OK)
        status = run_list(run, model, &list, err);
    finish_texts(&list);
    return status;
}
