/* chaos.c - a plugin out of model_abi.h alone that misbehaves on request, so that operators, tests and
 * authors can see how each fault of a plugin is handled. The model: output = 2 * input + 1, F32 [batch, n],
 * so that right answers can be told from wrong ones. config.json, with what is usual:
 *
 *   {"model_type": "chaos", "mode": "ok", "where": "run", "rate": 1.0, "seed": (none), "limit_mb": 1024}
 *
 * README.md explains modes and keys. All state is in the model and its instances. */
#include "chaos.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("chaos", "1.0.0", "chaos");

#define MAX_SLOTS 4 /* so that keep() is called; what was read changes no answer */

static const struct model_dimension shape[] = {{"batch", 1, INT64_MAX}, {"n", 1, INT64_MAX}};
static const struct model_tensor_spec input = {sizeof input, "input", MODEL_F32, 2, shape, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&input};

static const char *const place_names[N_PLACES] = {"run", "create", "create_instance", "destroy",
                                                  "keep"};

model_status chaos_fail(struct model_error *err, model_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return status;
}

model_status chaos_answer(const struct model_call *call, struct model_error *err)
{
    const struct model_tensor *in = call->inputs[0];
    if (call->n_outputs == 0)
        return MODEL_OK;
    const model_status status =
        call->allocate_output(call->context, 0, MODEL_F32, 2, in->shape, err);
    if (status != MODEL_OK)
        return status;
    const size_t n = (size_t)(in->size_bytes / sizeof(float));
    const float *from = in->data;
    float *to = call->outputs[0]->data;
    for (size_t i = 0; i < n; i++)
        to[i] = 2 * from[i] + 1;
    return MODEL_OK;
}

/* ---- whether this run goes wrong */

/* splitmix64: each bit of the sum decides about each bit of the result. */
static uint64_t mix(uint64_t sum)
{
    sum += 0x9E3779B97F4A7C15u;
    sum = (sum ^ (sum >> 30)) * 0xBF58476D1CE4E5B9u;
    sum = (sum ^ (sum >> 27)) * 0x94D049BB133111EBu;
    return sum ^ (sum >> 31);
}

/* With a seed the request's numbers decide, so that a request has one fate in whichever process and
 * order; without one, chance. */
static int is_due(struct chaos_model *model, const struct model_tensor *in)
{
    if (model->rate >= 1)
        return 1;
    const unsigned char *bytes = in->data;
    uint64_t sum = mix(model->seed);
    for (uint64_t i = 0; model->has_seed && i < in->size_bytes; i++)
        sum = mix(sum ^ bytes[i]);
    if (!model->has_seed) {
        const uint32_t number = __atomic_fetch_add(&model->n_runs, 1, __ATOMIC_RELAXED);
        const int64_t now_ns = model->services->now_ns(model->services->context);
        sum = mix(mix((uint64_t)now_ns ^ (uint64_t)getpid() << 32) ^ number);
    }
    return (double)(sum >> 11) / (double)(UINT64_C(1) << 53) < model->rate;
}

/* What goes wrong ahead of a function other than run(). */
static model_status strike(struct chaos_model *model, enum chaos_place place,
                           struct model_error *err)
{
    const struct chaos_scene scene = {.model = model};
    return model->place == place ? model->mode->fault(&scene, err) : MODEL_OK;
}

/* ---- instances */

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct chaos_instance *instance = (struct chaos_instance *)self;
    struct chaos_model *model = instance->model;
    const struct chaos_scene scene = {model, instance, call};
    chaos_join_late(instance);
    if (model_cancel_status(call->cancel) != MODEL_OK) /* cancelled before: no fault to show */
        return model_cancel_status(call->cancel);
    if (model->place != IN_RUN || !is_due(model, call->inputs[0]))
        return chaos_answer(call, err);
    const model_status status = model->mode->fault(&scene, err);
    return status == MODEL_OK && model->mode->is_before ? chaos_answer(call, err) : status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    const model_status status = strike(((struct chaos_instance *)self)->model, IN_KEEP, err);
    (void)to;
    (void)from;
    (void)n_tokens;
    if (status == MODEL_OK)
        *ret_kept = 0; /* nothing is remembered */
    return status;
}

static void destroy_instance(struct model_instance *self)
{
    struct chaos_instance *instance = (struct chaos_instance *)self;
    const struct model_services *services = instance->model->services;
    chaos_join_late(instance);
    services->release(services->context, instance);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    struct chaos_model *model = (struct chaos_model *)(uintptr_t)self; /* for its count of runs */
    const model_status status = strike(model, IN_CREATE_INSTANCE, err);
    if (status != MODEL_OK)
        return status;
    struct chaos_instance *instance =
        model->services->allocate(model->services->context, sizeof *instance);
    if (instance == NULL)
        return chaos_fail(err, MODEL_OUT_OF_MEMORY, "no memory for an instance");
    *instance = (struct chaos_instance){.base = {.struct_size = sizeof(struct model_instance),
                                                 .run = run,
                                                 .destroy = destroy_instance,
                                                 .keep = keep},
                                        .model = model};
    *ret = &instance->base;
    return MODEL_OK;
}

/* ---- config.json */

static int read_value(const struct chaos_model *model, const char *key, struct model_value *ret)
{
    *ret = (struct model_value){.struct_size = sizeof *ret};
    return model->services->config_value(model->services->context, key, ret) == MODEL_OK;
}

/* Leaves *ret alone when the key is absent. */
static model_status read_number(const struct chaos_model *model, const char *key, double min,
                                double max, double *ret, struct model_error *err)
{
    struct model_value value;
    if (!read_value(model, key, &value))
        return MODEL_OK;
    if (value.kind != MODEL_VALUE_NUMBER || !(value.number >= min && value.number <= max))
        return chaos_fail(err, MODEL_CORRUPT, "config.json: '%s' must be a number from %g to %g",
                          key, min, max);
    *ret = value.number;
    return MODEL_OK;
}

static model_status read_mode(struct chaos_model *model, struct model_error *err)
{
    struct model_value value;
    char known[300];
    const char *text = "ok";
    if (read_value(model, "mode", &value))
        text = value.kind == MODEL_VALUE_STRING ? value.string : "";
    model->mode = chaos_mode_find(text);
    chaos_mode_list(known, sizeof known);
    if (model->mode == NULL)
        return chaos_fail(err, MODEL_CORRUPT, "config.json: 'mode' is '%.40s', want one of %s",
                          text, known);
    const char *colon = strchr(text, ':');
    char *end = NULL;
    model->argument = model->mode->usual_argument;
    if (colon == NULL)
        return MODEL_OK;
    model->argument = strtol(colon + 1, &end, 10);
    if (model->mode->usual_argument == NO_ARGUMENT || end == colon + 1 || *end != '\0' ||
        model->argument < 0 || model->argument > 1000000)
        return chaos_fail(err, MODEL_CORRUPT,
                          "config.json: 'mode' is '%.40s': the number behind ':' is for slow, "
                          "ignore-cancel, exit, leak and overrun-output, 0 to 1000000",
                          text);
    return MODEL_OK;
}

static model_status read_place(struct chaos_model *model, struct model_error *err)
{
    struct model_value value;
    const char *text = place_names[IN_RUN];
    if (read_value(model, "where", &value))
        text = value.kind == MODEL_VALUE_STRING ? value.string : "";
    int place = 0;
    while (place < N_PLACES && strcmp(place_names[place], text) != 0)
        place++;
    if (place == N_PLACES)
        return chaos_fail(err, MODEL_CORRUPT,
                          "config.json: 'where' is '%.40s', want run, create, create_instance, "
                          "destroy or keep",
                          text);
    if (place != IN_RUN && !model->mode->is_before)
        return chaos_fail(err, MODEL_CORRUPT, "config.json: the mode '%s' is for run alone",
                          model->mode->name);
    model->place = (enum chaos_place)place;
    return MODEL_OK;
}

static model_status read_config(struct chaos_model *model, struct model_error *err)
{
    double limit_mb = 1024, seed = -1;
    model->rate = 1;
    model_status status = read_mode(model, err);
    if (status == MODEL_OK)
        status = read_place(model, err);
    if (status == MODEL_OK)
        status = read_number(model, "rate", 0, 1, &model->rate, err);
    if (status == MODEL_OK)
        status = read_number(model, "seed", 0, 1e15, &seed, err);
    if (status == MODEL_OK)
        status = read_number(model, "limit_mb", 1, 1 << 20, &limit_mb, err);
    model->has_seed = seed >= 0;
    model->seed = model->has_seed ? (uint64_t)seed : 0;
    model->limit_mb = (int64_t)limit_mb;
    return status;
}

/* ---- the model */

static void describe(struct chaos_model *model)
{
    const int is_bad = strcmp(model->mode->name, "bad-schema") == 0;
    model->output = input;
    model->output.name = "output";
    model->output.dtype = is_bad ? MODEL_F64 : MODEL_F32;
    model->outputs[0] = &model->output;
    model->description = (struct model_description){
        .struct_size = sizeof model->description,
        .architecture = "Chaos",
        .inputs = inputs,
        .outputs = model->outputs,
        .n_inputs = 1,
        .n_outputs = 1,
        .device = "cpu",
        .compute_dtype = "f32",
        .max_batch = INT64_MAX,
        .capabilities = strcmp(model->mode->name, "late-emit") == 0 ? MODEL_CAN_STREAM : 0,
        .cancel_grain = MODEL_CANCEL_LAYER,
        .max_slots = model->place == IN_KEEP ? MAX_SLOTS : 0};
}

static void destroy(struct model *self)
{
    struct chaos_model *model = (struct chaos_model *)self;
    struct model_error err = {.struct_size = sizeof err};
    const struct model_services *services = model->services;
    (void)strike(model, IN_DESTROY, &err);
    services->release(services->context, model);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct chaos_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return chaos_fail(err, MODEL_OUT_OF_MEMORY, "no memory for the model");
    *model = (struct chaos_model){.services = services};
    model_status status = read_config(model, err);
    if (status == MODEL_OK)
        status = strike(model, IN_CREATE, err);
    if (status != MODEL_OK) {
        services->release(services->context, model);
        return status;
    }
    describe(model);
    model->base = (struct model){.struct_size = sizeof(struct model),
                                 .description = &model->description,
                                 .create_instance = create_instance,
                                 .destroy = destroy};
    *ret = &model->base;
    return MODEL_OK;
}
