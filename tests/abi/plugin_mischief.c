/* plugin_mischief.c - a fixture: a plugin that does well or badly as the first number of its input says, so
 * that one model has good and bad requests. Copies input "x" (F32, ["n"]) plus one to output "y" (F32, ["m"]),
 * but when x[0] is
 *   -1  writes to address 0        -2  abort()                 -3  exit(3)
 *   -4  sleeps for ever            -5  computes for ever       -6  polls the token until it is raised
 *   -7  "y" is 0, 1, 2, ... with x[1] elements
 *   -8  emits "y" of one element x[1] times: 0, 1, 2, ...
 *   -9  prints a line and logs a line, and then as -1
 *   -10 has no memory while another call runs
 *   -11 logs a line, and then as -4
 *   -12 logs x[1] lines            -13 counts "mischief" 2      -14 counts "failures" 1 and fails
 *   -15 ends its thread            -16 the same, by the system call
 * Its memory (max_slots 2) is the sum of all that a slot has read, which is added to "y".
 * config.json: "mischief_create" is one of these numbers, done in create_model(), "mischief_destroy" in destroy(),
 * "mischief_instance" in the first create_instance(), "mischief_second" in the second, "mischief_keep" in keep(); with "mischief_waits" each run() says in the log that it begins, and create_instance(), if it is 1,
 * and keep(), if it is 2, that it waits, which it does while run() runs. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

MODEL_PLUGIN_NOTE("mischief", "1.0.0", "mischief");

struct mischief_model {
    struct fixture base;
    int waits;              /* "mischief_waits" */
    int at_end;             /* "mischief_destroy" */
    int at_instances[2];    /* "mischief_instance", "mischief_second" */
    int at_keep;            /* "mischief_keep" */
    int n_instances;        /* atomic */
    volatile int n_running; /* atomic */
};

struct mischief_instance {
    struct fixture_instance base;
    struct mischief_model *model;
    float sums[2];
};

static const struct model_dimension n_in = {"n", 0, INT64_MAX}, n_out = {"m", 0, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_in, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_out, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};
static const struct model_description description = {
    FIXTURE_ONE_TO_ONE("Mischief"), .capabilities = MODEL_CAN_STREAM,
    .cancel_grain = MODEL_CANCEL_LAYER, .max_slots = 2};

static volatile int never;

/* Not looked at by a sanitizer, which would tell of the crash instead of letting it happen. */
__attribute__((no_sanitize("undefined"))) static void misbehave(
    const struct model_services *services, int what)
{
    if (what == -9) {
        (void)puts("mischief: this was printed");
        services->log(services->context, MODEL_LOG_WARN, "this was logged");
    }
    if (what == -1 || what == -9)
        *(volatile int *)(uintptr_t)(never * 4) = 1;
    if (what == -2)
        abort();
    if (what == -3)
        exit(3);
    if (what == -15)
        pthread_exit(NULL);
#ifdef __linux__
    if (what == -16)
        (void)syscall(SYS_exit, 0);
#endif
    if (what == -11)
        services->log(services->context, MODEL_LOG_WARN, "this sleeps");
    while (what == -4 || what == -11)
        (void)sleep(1000);
    while (what == -5)
        never = 0;
}

static model_status emit_pieces(const struct model_call *call, int n)
{
    model_status status = MODEL_OK;
    for (int i = 0; i < n && status == MODEL_OK && call->sink != NULL; i++) {
        float value = (float)i;
        struct model_tensor piece = {sizeof piece, "y", &value, sizeof value, MODEL_F32, 1, {1},
                                     {1},          0,   0};
        const struct model_tensor *const pieces[] = {&piece};
        status = call->sink->emit(call->sink->context, pieces, 1);
    }
    return status;
}

static void say(const struct mischief_model *model, const char *text)
{
    model->base.services->log(model->base.services->context, MODEL_LOG_WARN, text);
}

static void wait_for_calls(const struct mischief_model *model)
{
    if (__atomic_load_n(&model->n_running, __ATOMIC_ACQUIRE) > 0)
        say(model, "waits");
    while (__atomic_load_n(&model->n_running, __ATOMIC_ACQUIRE) > 0)
        (void)usleep(1000);
}

static model_status compute(struct mischief_instance *instance, const struct model_call *call,
                            struct model_error *err)
{
    const struct model_services *services = instance->model->base.services;
    const float *in = call->inputs[0]->data;
    const int64_t n = call->inputs[0]->shape[0];
    const int what = n > 0 ? (int)in[0] : 0;
    const int64_t n_made = what == -7 ? (int64_t)in[1] : n;
    model_status status = MODEL_OK;
    misbehave(services, what);
    if (what == -10 && __atomic_load_n(&instance->model->n_running, __ATOMIC_ACQUIRE) > 1) {
        say(instance->model, "no memory");
        return MODEL_OUT_OF_MEMORY;
    }
    for (int i = 0; what == -12 && i < (int)in[1]; i++)
        say(instance->model, "one of many");
    if (what == -13)
        services->count(services->context, "mischief", 2);
    if (what == -14) { /* and fails */
        services->count(services->context, "failures", 1);
        return MODEL_IO;
    }
    while (what == -6 && status == MODEL_OK)
        status = model_cancel_status(call->cancel);
    if (what == -8)
        status = emit_pieces(call, (int)in[1]);
    if (status == MODEL_OK)
        status = call->allocate_output(call->context, 0, MODEL_F32, 1, &n_made, err);
    if (status != MODEL_OK)
        return status;
    float *sum = call->slots != NULL ? &instance->sums[call->slots[0]] : NULL,
          *out = call->outputs[0]->data;
    for (int64_t i = 0; i < n && sum != NULL; i++)
        *sum += in[i];
    for (int64_t i = 0; i < n_made; i++)
        out[i] = what == -7 ? (float)i : in[i] + 1 + (sum != NULL ? *sum : 0);
    return MODEL_OK;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct mischief_instance *instance = (struct mischief_instance *)self;
    (void)__atomic_add_fetch(&instance->model->n_running, 1, __ATOMIC_ACQ_REL);
    if (instance->model->waits != 0)
        say(instance->model, "begins");
    const model_status status = compute(instance, call, err);
    (void)__atomic_sub_fetch(&instance->model->n_running, 1, __ATOMIC_ACQ_REL);
    return status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct mischief_instance *instance = (struct mischief_instance *)self;
    (void)err;
    misbehave(instance->model->base.services, instance->model->at_keep);
    if (instance->model->waits == 2)
        wait_for_calls(instance->model);
    instance->sums[to] = n_tokens > 0 ? instance->sums[from] : 0;
    *ret_kept = n_tokens;
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    struct mischief_model *model = (struct mischief_model *)(uintptr_t)self;
    const int n = __atomic_fetch_add(&model->n_instances, 1, __ATOMIC_ACQ_REL);
    if (n < 2)
        misbehave(model->base.services, model->at_instances[n]);
    if (model->waits == 1)
        wait_for_calls(model);
    model_status status =
        fixture_create_instance(self, sizeof(struct mischief_instance), run, keep, ret, err);
    if (status == MODEL_OK)
        ((struct mischief_instance *)*ret)->model = model;
    return status;
}

static void destroy(struct model *self)
{
    const struct mischief_model *model = (const struct mischief_model *)self;
    misbehave(model->base.services, model->at_end);
    fixture_destroy(self);
}

static int setting(const struct model_services *services, const char *key)
{
    return (int)config_number(services, key, 0);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    misbehave(services, setting(services, "mischief_create"));
    struct mischief_model *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->base.base.destroy = destroy;
    model->waits = setting(services, "mischief_waits");
    model->at_end = setting(services, "mischief_destroy");
    model->at_instances[0] = setting(services, "mischief_instance");
    model->at_instances[1] = setting(services, "mischief_second");
    model->at_keep = setting(services, "mischief_keep");
    *ret = &model->base.base;
    return MODEL_OK;
}
