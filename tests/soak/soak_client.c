/* soak_client.c - see soak_client.h. A request to chaos is made of random numbers and judged by them; the
 * others are one of the model's cases. */
#include "soak_client.h"
#include "soak_random.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_VALUES 32
#define MAX_TEXT   4096
#define MAX_YIELDS 200 /* before a request is cancelled */

/* ---- a request to chaos */

struct chaos_request {
    float values[MAX_VALUES];
    size_t n;
    bool is_doomed;
    struct model_tensor tensor;
    const struct model_tensor *pointer;
    struct modelhost_run_options options;
};

static void make_chaos_request(const struct soak_model *model, uint64_t *random,
                               struct chaos_request *ret)
{
    const uint32_t rows = 1 + soak_random_below(random, 4),
                   columns = 1 + soak_random_below(random, 8);
    ret->n = (size_t)rows * columns;
    for (size_t i = 0; i < ret->n; i++)
        ret->values[i] = (float)soak_random_below(random, 1000);
    ret->is_doomed = soak_is_doomed(ret->values, ret->n) && model->fault->status != MODEL_OK;
    ret->tensor = (struct model_tensor){.struct_size = sizeof ret->tensor,
                                        .name = "input",
                                        .data = ret->values,
                                        .size_bytes = ret->n * sizeof ret->values[0],
                                        .dtype = MODEL_F32,
                                        .rank = 2,
                                        .shape = {rows, columns},
                                        .strides = {columns, 1}};
    ret->pointer = &ret->tensor;
    ret->options = (struct modelhost_run_options)MODELHOST_RUN_OPTIONS_INIT;
    ret->options.timeout_ms = ret->is_doomed ? model->fault->timeout_ms : 0;
}

static void count_right(struct soak_model *model, const struct modelhost_result *result)
{
    soak_tally_count(&model->tally,
                     modelhost_result_is_cached(result) != 0 ? SOAK_CACHED : SOAK_RIGHT);
}

static void judge_chaos(struct soak_model *model, const struct chaos_request *request,
                        model_status status, const struct modelhost_result *result,
                        const struct model_error *err)
{
    const struct soak_fault *fault = model->fault;
    const bool is_fault =
        status == fault->status &&
        (fault->sentence == NULL || strstr(err->message, fault->sentence) != NULL);
    if (request->is_doomed && is_fault)
        soak_tally_count(&model->tally, SOAK_FAULT);
    else if (request->is_doomed)
        soak_tally_wrong(&model->tally, fault->sentence != NULL ? fault->sentence : "its fault",
                         status, status != MODEL_OK ? err->message : "an answer");
    else if (status != MODEL_OK)
        soak_tally_wrong(&model->tally, "2 * input + 1", status, err->message);
    else if (!soak_chaos_is_right(result, request->values, request->n))
        soak_tally_wrong(&model->tally, "2 * input + 1", status, "other numbers");
    else
        count_right(model, result);
}

static void judge_case(struct soak_model *model, const struct soak_case *asked, model_status status,
                       const struct modelhost_result *result, const struct model_error *err)
{
    if (status != MODEL_OK)
        soak_tally_wrong(&model->tally, "an answer", status, err->message);
    else if (soak_digest(result) != asked->digest)
        soak_tally_wrong(&model->tally, "the first answer", status, modelhost_result_json(result));
    else
        count_right(model, result);
}

/* ---- ways to ask; `loaded` is the model or another load of the same package */

static void ask_and_wait(struct soak_client *client, struct soak_model *model,
                         struct modelhost_model *loaded)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    if (model->fault != NULL) {
        struct chaos_request request;
        make_chaos_request(model, &client->random, &request);
        const model_status status =
            modelhost_run(loaded, &request.pointer, 1, &request.options, &result, &err);
        judge_chaos(model, &request, status, result, &err);
    } else {
        const struct soak_case *asked =
            &model->cases[soak_random_below(&client->random, model->n_cases)];
        const model_status status = soak_ask(loaded, asked, NULL, 0, &result, &err);
        judge_case(model, asked, status, result, &err);
    }
    modelhost_result_destroy(result);
}

static void ask_for_stream(struct soak_client *client, struct soak_model *model)
{
    char streamed[MAX_TEXT];
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    const struct soak_case *asked =
        model->n_cases > 0 ? &model->cases[soak_random_below(&client->random, model->n_cases)]
                           : NULL;
    if (asked == NULL || asked->streamed == NULL) {
        ask_and_wait(client, model, model->model);
        return;
    }
    const model_status status =
        soak_ask(model->model, asked, streamed, sizeof streamed, &result, &err);
    if (status == MODEL_OK && strcmp(streamed, asked->streamed) != 0)
        soak_tally_wrong(&model->tally, asked->streamed, status, streamed);
    else if (status == MODEL_OK && soak_digest(result) == asked->digest)
        soak_tally_count(&model->tally, SOAK_STREAMED);
    else
        judge_case(model, asked, status, result, &err);
    modelhost_result_destroy(result);
}

struct answer {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_there;
    model_status status;
    struct modelhost_result *result;
    struct model_error err;
};

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct answer *answer = user;
    (void)pthread_mutex_lock(&answer->mutex);
    answer->status = status;
    answer->result = result;
    if (err != NULL && status != MODEL_OK)
        memcpy(answer->err.message, err->message, sizeof answer->err.message);
    answer->is_there = true;
    (void)pthread_cond_signal(&answer->changed);
    (void)pthread_mutex_unlock(&answer->mutex);
}

static void wait_for(struct answer *answer)
{
    (void)pthread_mutex_lock(&answer->mutex);
    while (!answer->is_there)
        (void)pthread_cond_wait(&answer->changed, &answer->mutex);
    (void)pthread_mutex_unlock(&answer->mutex);
}

static void ask_and_await(struct soak_client *client, struct soak_model *model, bool cancels)
{
    struct answer answer = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER,
                            .err = {.struct_size = sizeof answer.err}};
    struct modelhost_request *handle = NULL;
    struct chaos_request request = {.n = 0};
    const struct soak_case *asked = &model->cases[0]; /* of tensors */
    if (model->fault != NULL)
        make_chaos_request(model, &client->random, &request);
    model_status status =
        model->fault != NULL
            ? modelhost_run_async(model->model, &request.pointer, 1, &request.options, on_answer,
                                  &answer, &handle, &answer.err)
            : modelhost_run_async(model->model, asked->pointers, asked->n_inputs, NULL, on_answer,
                                  &answer, &handle, &answer.err);
    if (status == MODEL_OK) {
        for (uint32_t i = soak_random_below(&client->random, MAX_YIELDS); cancels && i > 0; i--)
            (void)sched_yield();
        if (cancels)
            modelhost_cancel(handle);
        wait_for(&answer);
        status = answer.status;
    }
    if (cancels && status == MODEL_CANCELLED)
        soak_tally_count(&model->tally, SOAK_CANCELLED);
    else if (model->fault != NULL)
        judge_chaos(model, &request, status, answer.result, &answer.err);
    else
        judge_case(model, asked, status, answer.result, &answer.err);
    modelhost_request_release(handle);
    modelhost_result_destroy(answer.result);
}

/* With options of its own, so that it is another model; some of those clients share. */
static void load_and_ask(struct soak_client *client, struct soak_model *model)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_model *loaded = NULL;
    struct modelhost_load_options options = model->options;
    options.workers = 1;
    options.kill_grace_ms = 51 + soak_random_below(&client->random, 3);
    options.max_abandoned_lanes = 3 + soak_random_below(&client->random, 3);
    const model_status status =
        modelhost_load_with(client->world->host, model->folder, &options, &loaded, &err);
    if (status != MODEL_OK) {
        soak_tally_wrong(&model->tally, "a load", status, err.message);
        return;
    }
    ask_and_wait(client, model, loaded);
    soak_tally_count(&model->tally, SOAK_LOADED);
    modelhost_release(loaded);
}

/* ---- the thread */

static void *run_client(void *argument)
{
    struct soak_client *client = argument;
    struct soak_world *world = client->world;
    const struct soak_habits habits = world->habits;
    while (!atomic_load(&world->ends)) {
        struct soak_model *model =
            &world->models->list[soak_random_below(&client->random, world->models->n)];
        uint32_t what = soak_random_below(&client->random, 100);
        if (what < habits.awaits)
            ask_and_await(client, model, false);
        else if ((what -= habits.awaits) < habits.cancels)
            ask_and_await(client, model, true);
        else if ((what -= habits.cancels) < habits.streams)
            ask_for_stream(client, model);
        else if (what - habits.streams < habits.reloads)
            load_and_ask(client, model);
        else
            ask_and_wait(client, model, model->model);
    }
    return NULL;
}

bool soak_client_start(struct soak_client *client, struct soak_world *world, uint64_t seed)
{
    *client = (struct soak_client){.world = world, .random = seed};
    return pthread_create(&client->thread, NULL, run_client, client) == 0;
}

void soak_client_join(struct soak_client *client)
{
    (void)pthread_join(client->thread, NULL);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t soak_ask_for_fault(struct soak_model *model, uint64_t *random)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    struct chaos_request request;
    do
        make_chaos_request(model, random, &request);
    while (!request.is_doomed);
    const int64_t start_ns = now_ns();
    const model_status status =
        modelhost_run(model->model, &request.pointer, 1, &request.options, &result, &err);
    const int64_t took_ns = now_ns() - start_ns;
    judge_chaos(model, &request, status, result, &err);
    modelhost_result_destroy(result);
    return took_ns;
}
