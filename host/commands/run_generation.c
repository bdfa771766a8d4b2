/* run_generation.c - `modelhost run` with a model that generates text.
 *
 * The prompts of the command line run together, those of stdin line by line, as do all with --stream. The
 * main thread waits on a loop of its own, so that Ctrl-C cancels the request and not the process; what is
 * streamed is printed by the lane's thread while the main thread waits. */
#include "clock.h"
#include "cmd_run.h"
#include "errors.h"
#include "json_array.h"
#include "json_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct generating {
    struct run_command *run;
    struct modelhost_model *model;
    struct modelhost_generation generation;
    struct json_array array;
    struct modelhost_timing timing; /* of all answers */
    int64_t n_sequences;
    size_t n_requests, n_prompts;
    bool context_full;

    /* Of the request under way. */
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct modelhost_request *request;
    struct modelhost_result *result;
    model_status status;
    struct model_error *err;
    bool answered;
    uv_async_t unwritable; /* tells the main thread of: */
    int write_errno;       /* why a token could not be printed; the lane's until the answer */
};

static uint32_t sequences_of_each(const struct generating *generating)
{
    const uint32_t n = generating->generation.num_sequences;
    return n > 1 ? n : 1;
}

/* ---- one request */

/* On the lane's thread, while the main thread waits in its loop. */
static void print_token(void *context, const struct modelhost_token *token)
{
    struct generating *generating = context;
    if (generating->write_errno != 0)
        return;
    if (token->text != NULL)
        (void)fwrite(token->text, 1, token->text_bytes, stdout);
    else if (token->token_id >= 0)
        printf("%lld ", (long long)token->token_id);
    if (token->finish_reason != NULL)
        (void)putchar('\n');
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    generating->write_errno = errno != 0 ? errno : EIO;
    (void)uv_async_send(&generating->unwritable);
}

/* Nobody reads any more. */
static void on_unwritable(uv_async_t *async)
{
    struct generating *generating = async->data;
    modelhost_cancel(generating->request);
}

/* A second one ends the process as usual: whoever reads what is streamed may have stopped. */
static void on_signal(uv_signal_t *signal, int number)
{
    struct generating *generating = signal->data;
    (void)number;
    (void)uv_signal_stop(signal);
    modelhost_cancel(generating->request);
}

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct generating *generating = user;
    generating->status = status;
    generating->result = result;
    generating->answered = true;
    if (status == MODEL_CANCELLED && generating->write_errno != 0) {
        errno = generating->write_errno;
        generating->status = command_flush(generating->err);
    } else if (status == MODEL_CANCELLED)
        (void)error_set(generating->err, status, "interrupted");
    else if (status != MODEL_OK)
        (void)error_set(generating->err, status, "%s", err->message);
}

/* Before the request begins: what it streams may be answered by a signal at once. */
static void catch_signals(struct generating *generating)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        (void)uv_signal_init(&generating->loop, &generating->signals[i]);
        generating->signals[i].data = generating;
        (void)uv_signal_start(&generating->signals[i], on_signal, numbers[i]);
    }
}

static model_status request_answer(struct generating *generating,
                                   const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                   struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = generating->n_requests++ == 0 ? run_time_left_ms(generating->run)
                                                       : generating->run->timeout_ms;
    options.loop = &generating->loop;
    generating->generation.first_prompt = (uint32_t)generating->n_prompts;
    generating->n_prompts += n_prompts;
    generating->answered = false;
    generating->err = err;
    generating->request = NULL;
    if (uv_async_init(&generating->loop, &generating->unwritable, on_unwritable) != 0)
        return error_no_memory(err, "an event");
    generating->unwritable.data = generating;
    catch_signals(generating);
    model_status status =
        modelhost_generate_async(generating->model, prompts, n_prompts, &generating->generation,
                                 &options, on_answer, generating, &generating->request, err);
    if (status == MODEL_OK) {
        while (!generating->answered)
            (void)uv_run(&generating->loop, UV_RUN_ONCE);
        modelhost_request_release(generating->request);
        status = generating->status;
    }
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&generating->signals[i], NULL);
    uv_close((uv_handle_t *)&generating->unwritable, NULL);
    (void)uv_run(&generating->loop, UV_RUN_DEFAULT); /* until all handles are closed */
    return status;
}

/* ---- printing */

/* Ids where the package has no tokenizer. */
static void print_text(const json_node *item)
{
    const json_node *text = json_member(item, "generated_text");
    if (text != NULL) {
        printf("%s\n", json_string_or(text, ""));
        return;
    }
    const json_node *id = json_first(json_member(item, "token_ids"));
    for (; id != NULL; id = json_next(id))
        printf("%.0f ", json_number_or(id, 0));
    (void)putchar('\n');
}

static model_status print_for_people(struct generating *generating, const char *answers,
                                     struct model_error *err)
{
    json_node *tree = NULL;
    model_status status = json_parse(answers, strlen(answers), "the answer", &tree, err);
    if (status != MODEL_OK)
        return status;
    const uint32_t n_each = sequences_of_each(generating);
    const bool several = json_count(tree) > 1;
    uint32_t i = 0;
    for (const json_node *item = json_first(tree); item != NULL; item = json_next(item), i++) {
        const char *reason = json_string_or(json_member(item, "finish_reason"), "");
        generating->context_full = generating->context_full || strcmp(reason, "context") == 0;
        if (generating->run->stream)
            continue;
        if (several)
            printf("[%s", json_string_or(json_member(item, "text"), "token ids"));
        if (several && n_each > 1)
            printf(", answer %u", i % n_each + 1);
        if (several)
            printf("]\n");
        print_text(item);
    }
    json_free(tree);
    return command_flush(err);
}

static model_status generate(struct generating *generating, const struct modelhost_prompt *prompts,
                             uint32_t n_prompts, struct model_error *err)
{
    model_status status = request_answer(generating, prompts, n_prompts, err);
    if (status != MODEL_OK)
        return status;
    const char *answers = modelhost_result_json(generating->result);
    const struct modelhost_timing timing = modelhost_result_timing(generating->result);
    status = generating->run->as_json ? json_array_print(&generating->array, answers, err)
                                      : print_for_people(generating, answers, err);
    generating->timing.prompt_tokens += timing.prompt_tokens;
    generating->timing.cached_tokens += timing.cached_tokens;
    generating->timing.prefill_ns += timing.prefill_ns;
    generating->timing.new_tokens += timing.new_tokens;
    generating->timing.decode_ns += timing.decode_ns;
    generating->n_sequences += (int64_t)n_prompts * sequences_of_each(generating);
    modelhost_result_destroy(generating->result);
    return status;
}

static double per_second(int64_t n, int64_t ns)
{
    return n > 0 && ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

static void print_timing(const struct generating *generating)
{
    const struct modelhost_timing *t = &generating->timing;
    if (generating->run->verbosity < 0)
        return;
    const int64_t n_read = t->prompt_tokens - t->cached_tokens;
    const int64_t n_behind = t->new_tokens - generating->n_sequences; /* the first of each */
    command_say(generating->run->log_format,
                "read %lld tokens in %.1f ms (%.1f tokens/s), made %lld, "
                "%lld behind the first in %.2f ms (%.1f tokens/s; load %.1f ms)",
                (long long)n_read, (double)t->prefill_ns / NS_PER_MS,
                per_second(n_read, t->prefill_ns), (long long)t->new_tokens,
                (long long)(n_behind > 0 ? n_behind : 0), (double)t->decode_ns / NS_PER_MS,
                per_second(n_behind, t->decode_ns), (double)generating->run->load_ns / NS_PER_MS);
    if (generating->context_full)
        command_say(generating->run->log_format,
                    "the model's context is full; --sliding-window goes on");
}

/* ---- what to continue */

static struct modelhost_prompt text_prompt(const char *text, size_t text_bytes)
{
    return (struct modelhost_prompt){
        .struct_size = sizeof(struct modelhost_prompt), .text = text, .text_bytes = text_bytes};
}

static model_status generate_ids(struct generating *generating, struct model_error *err)
{
    const struct modelhost_prompt prompt = {.struct_size = sizeof prompt,
                                            .token_ids = generating->run->input_ids,
                                            .n_token_ids = generating->run->n_input_ids};
    return generate(generating, &prompt, 1, err);
}

static model_status generate_texts(struct generating *generating, struct model_error *err)
{
    const struct command_list *texts = &generating->run->texts;
    struct modelhost_prompt *prompts = calloc(texts->n_values, sizeof *prompts);
    if (prompts == NULL)
        return error_no_memory(err, "prompts");
    for (size_t i = 0; i < texts->n_values; i++)
        prompts[i] = text_prompt(texts->values[i], strlen(texts->values[i]));
    model_status status = MODEL_OK;
    const size_t n_each = generating->run->stream ? 1 : texts->n_values;
    for (size_t i = 0; i < texts->n_values && status == MODEL_OK; i += n_each)
        status = generate(generating, prompts + i, (uint32_t)n_each, err);
    free(prompts);
    return status;
}

static model_status generate_lines(struct generating *generating, struct model_error *err)
{
    model_status status = MODEL_OK;
    size_t line_bytes = 0, n_lines = 0;
    if (isatty(STDIN_FILENO) && generating->run->verbosity >= 0)
        fprintf(stderr, "modelhost: reading texts from standard input, one a line; end with "
                        "Ctrl-D\n");
    for (const char *line;
         status == MODEL_OK && (line = command_next_line(&line_bytes, &status, err)) != NULL;
         n_lines++) {
        const struct modelhost_prompt prompt = text_prompt(line, line_bytes);
        status = generate(generating, &prompt, 1, err);
    }
    if (status == MODEL_OK && n_lines == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "no text: give --text, or lines on standard input");
    return status;
}

static model_status run_all(struct generating *generating, struct model_error *err)
{
    if (generating->run->input_ids != NULL)
        return generate_ids(generating, err);
    return generating->run->texts.n_values > 0 ? generate_texts(generating, err)
                                               : generate_lines(generating, err);
}

model_status run_generation(struct run_command *run, struct modelhost_model *model,
                            struct model_error *err)
{
    struct generating *generating = calloc(1, sizeof *generating);
    if (generating == NULL || uv_loop_init(&generating->loop) != 0) {
        free(generating);
        return error_no_memory(err, "generating text");
    }
    generating->run = run;
    generating->model = model;
    generating->generation = run->generation;
    if (run->stream)
        generating->generation.on_token = print_token;
    generating->generation.context = generating;
    model_status status = run_all(generating, err);
    struct model_error unheard = MODEL_ERROR_INIT;
    model_status ended = json_array_end(&generating->array, status == MODEL_OK ? err : &unheard);
    status = status == MODEL_OK ? ended : status;
    if (status == MODEL_OK)
        print_timing(generating);
    (void)uv_loop_close(&generating->loop);
    free(generating);
    return status;
}
