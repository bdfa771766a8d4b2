/* chaos_modes.c - the table of faults. Each is as short as the bug that it stands for. */
#include "chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 2
#define LATE_MS 20

static void sleep_ms(int64_t ms)
{
    const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static void say(const struct chaos_scene *scene, const char *text)
{
    const struct model_services *services = scene->model->services;
    services->log(services->context, MODEL_LOG_WARN, text);
}

static model_status be_good(const struct chaos_scene *scene, struct model_error *err)
{
    (void)scene;
    (void)err;
    return MODEL_OK;
}

/* ---- time */

/* Late, but polite: asks for the token at every step. */
static model_status be_slow(const struct chaos_scene *scene, struct model_error *err)
{
    (void)err;
    for (int64_t ms = 0; ms < scene->model->argument; ms += STEP_MS) {
        const model_status status =
            scene->call != NULL ? model_cancel_status(scene->call->cancel) : MODEL_OK;
        if (status != MODEL_OK)
            return status;
        sleep_ms(STEP_MS);
    }
    return MODEL_OK;
}

static model_status ignore_cancel(const struct chaos_scene *scene, struct model_error *err)
{
    (void)err;
    for (int64_t ms = 0; ms < scene->model->argument; ms += STEP_MS)
        sleep_ms(STEP_MS);
    return MODEL_OK;
}

static model_status hang(const struct chaos_scene *scene, struct model_error *err)
{
    (void)err;
    say(scene, "about to wait for ever");
    while (scene != NULL)
        (void)pause();
    return MODEL_OK;
}

static model_status spin(const struct chaos_scene *scene, struct model_error *err)
{
    volatile uint64_t n = 0;
    (void)err;
    say(scene, "about to compute for ever");
    while (scene != NULL)
        n = n + 1;
    return MODEL_OK;
}

/* ---- ends of the process */

/* Not looked at by a sanitizer, which would tell of it instead of letting it crash. */
__attribute__((no_sanitize("undefined"))) static model_status crash(const struct chaos_scene *scene,
                                                                    struct model_error *err)
{
    volatile int *volatile nowhere = NULL; /* or the compiler leaves the store out */
    (void)err;
    say(scene, "about to write to address 0");
    *nowhere = 1;
    return MODEL_OK;
}

static model_status call_abort(const struct chaos_scene *scene, struct model_error *err)
{
    (void)err;
    say(scene, "about to abort");
    abort();
}

static model_status call_exit(const struct chaos_scene *scene, struct model_error *err)
{
    (void)err;
    say(scene, "about to exit");
    exit((int)scene->model->argument);
}

/* ---- memory */

static char *take_mb(int64_t n_mb)
{
    char *memory = malloc((size_t)n_mb << 20);
    if (memory != NULL)
        memset(memory, 1, (size_t)n_mb << 20);
    return memory;
}

static model_status leak(const struct chaos_scene *scene, struct model_error *err)
{
    const char *volatile lost = take_mb(scene->model->argument);
    return lost != NULL ? MODEL_OK
                        : chaos_fail(err, MODEL_OUT_OF_MEMORY, "no memory is left to be leaked");
}

/* Takes all there is, or limit_mb, says so and gives it back. */
static model_status run_out_of_memory(const struct chaos_scene *scene, struct model_error *err)
{
    const int64_t limit_mb = scene->model->limit_mb;
    char *taken = NULL; /* each block begins with the address of the one before */
    int64_t n_mb = 0;
    while (n_mb < limit_mb) {
        char *block = take_mb(1);
        if (block == NULL)
            break;
        memcpy(block, &taken, sizeof taken);
        taken = block;
        n_mb++;
    }
    while (taken != NULL) {
        char *block = taken;
        memcpy(&taken, block, sizeof taken);
        free(block);
    }
    if (n_mb == limit_mb)
        return chaos_fail(err, MODEL_OUT_OF_MEMORY,
                          "%lld MB taken, as much as config.json's 'limit_mb' allows",
                          (long long)limit_mb);
    return chaos_fail(err, MODEL_OUT_OF_MEMORY, "no memory is left after %lld MB", (long long)n_mb);
}

/* ---- tensors */

static model_status give_wrong_shape(const struct chaos_scene *scene, struct model_error *err)
{
    const struct model_call *call = scene->call;
    const int64_t shape[2] = {call->inputs[0]->shape[0], call->inputs[0]->shape[1] + 1};
    return call->allocate_output(call->context, 0, MODEL_F32, 2, shape, err);
}

static model_status write_input(const struct chaos_scene *scene, struct model_error *err)
{
    const model_status status = chaos_answer(scene->call, err);
    const struct model_tensor *input = scene->call->inputs[0];
    memset(input->data, 0, (size_t)input->size_bytes);
    return status;
}

static model_status overrun_output(const struct chaos_scene *scene, struct model_error *err)
{
    const model_status status = chaos_answer(scene->call, err);
    if (status != MODEL_OK)
        return status;
    const struct model_tensor *output = scene->call->outputs[0];
    memset((char *)output->data + output->size_bytes, 0xAA, (size_t)scene->model->argument);
    return MODEL_OK;
}

/* describe() said F64; F32 is what comes. */
static model_status give_other_dtype(const struct chaos_scene *scene, struct model_error *err)
{
    return chaos_answer(scene->call, err);
}

/* Fails, and keeps to itself why. */
static model_status throw_away_error(const struct chaos_scene *scene, struct model_error *err)
{
    (void)scene;
    (void)err;
    return MODEL_INTERNAL;
}

/* Takes a failure for a success. */
static model_status give_nothing(const struct chaos_scene *scene, struct model_error *err)
{
    (void)scene;
    (void)err;
    return MODEL_OK;
}

/* ---- streams */

static const float late_value = 42.0f;

static void *emit_late(void *argument)
{
    const struct chaos_instance *instance = argument;
    const struct model_services *services = instance->model->services;
    const struct model_tensor piece = {.struct_size = sizeof piece,
                                       .name = "output",
                                       .data = (void *)(uintptr_t)&late_value,
                                       .size_bytes = sizeof late_value,
                                       .dtype = MODEL_F32,
                                       .rank = 2,
                                       .shape = {1, 1},
                                       .strides = {1, 1}};
    const struct model_tensor *const pieces[] = {&piece};
    char text[80];
    sleep_ms(LATE_MS);
    const model_status status = instance->late_sink->emit(instance->late_sink->context, pieces, 1);
    (void)snprintf(text, sizeof text, "emitted behind run(): the host said %d", (int)status);
    services->log(services->context, MODEL_LOG_WARN, text);
    return NULL;
}

void chaos_join_late(struct chaos_instance *instance)
{
    if (instance->has_late_thread)
        (void)pthread_join(instance->late_thread, NULL);
    instance->has_late_thread = 0;
}

static model_status start_late(const struct chaos_scene *scene, struct model_error *err)
{
    struct chaos_instance *instance = scene->instance;
    const model_status status = chaos_answer(scene->call, err);
    if (status != MODEL_OK || scene->call->sink == NULL)
        return status;
    const struct model_tensor *const pieces[] = {scene->call->outputs[0]};
    instance->late_sink = scene->call->sink;
    const model_status told = instance->late_sink->emit(instance->late_sink->context, pieces, 1);
    if (told == MODEL_OK)
        instance->has_late_thread =
            pthread_create(&instance->late_thread, NULL, emit_late, instance) == 0;
    return told;
}

/* ---- the table */

static const struct chaos_mode modes[] = {
    {"ok", NO_ARGUMENT, be_good, 1},
    {"slow", 1000, be_slow, 1},
    {"ignore-cancel", 10000, ignore_cancel, 1},
    {"hang", NO_ARGUMENT, hang, 1},
    {"spin", NO_ARGUMENT, spin, 1},
    {"crash", NO_ARGUMENT, crash, 1},
    {"abort", NO_ARGUMENT, call_abort, 1},
    {"exit", 3, call_exit, 1},
    {"leak", 1, leak, 1},
    {"oom", NO_ARGUMENT, run_out_of_memory, 1},
    {"throw-away-error", NO_ARGUMENT, throw_away_error, 1},
    {"no-output", NO_ARGUMENT, give_nothing, 0},
    {"wrong-shape", NO_ARGUMENT, give_wrong_shape, 0},
    {"bad-schema", NO_ARGUMENT, give_other_dtype, 0},
    {"write-input", NO_ARGUMENT, write_input, 0},
    {"overrun-output", 64, overrun_output, 0},
    {"late-emit", NO_ARGUMENT, start_late, 0},
};

#define N_MODES (sizeof modes / sizeof modes[0])

const struct chaos_mode *chaos_mode_find(const char *text)
{
    const size_t size = strcspn(text, ":");
    for (size_t i = 0; i < N_MODES; i++)
        if (strlen(modes[i].name) == size && memcmp(modes[i].name, text, size) == 0)
            return &modes[i];
    return NULL;
}

void chaos_mode_list(char *ret, size_t ret_bytes)
{
    size_t size = 0;
    for (size_t i = 0; i < N_MODES && size < ret_bytes; i++)
        size += (size_t)snprintf(ret + size, ret_bytes - size, "%s%s", i > 0 ? ", " : "",
                                 modes[i].name);
}
