/* plugin_echo.c - a fixture: the smallest good plugin. Copies input "x" (F32, ["n"]) to output "y".
 * config.json chooses how run() behaves, so that tests of the host need no other plugin:
 *   "echo_mode": "spin"           polls the cancel token until it is raised
 *                "fail"           returns MODEL_INTERNAL and a sentence
 *                "ignore_cancel"  keeps busy for "spin_ms" without a look at the token
 *                "truncate"       first empties the file "truncate_path", as if someone else did
 *                absent           copies at once
 * "destroy_log" makes destroy() log "echo: destroyed",
 * and "destroy_wait_path" makes destroy() wait, ten seconds at most, until there is a file of that name,
 * and leave one of that name and ".done". */
#include "model_abi.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("echo", "1.0.0", "echo");

enum mode { MODE_COPY, MODE_SPIN, MODE_FAIL, MODE_IGNORE_CANCEL, MODE_TRUNCATE };

struct echo_model {
    struct model base;
    const struct model_services *services;
    enum mode mode;
    int64_t spin_ns;
    const char *destroy_wait_path; /* NULL: none */
};

struct echo_instance {
    struct model_instance base;
    const struct echo_model *model;
};

static const struct model_dimension n_items = {"n", 0, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Echo",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 1,
                                                     .device = "cpu",
                                                     .compute_dtype = "f32",
                                                     .max_batch = INT64_MAX,
                                                     .cancel_grain = MODEL_CANCEL_LAYER};

static model_status fail(struct model_error *err, model_status status, const char *sentence)
{
    size_t length = strlen(sentence);
    memcpy(err->message, sentence, length + 1);
    return status;
}

static int truncate_file(const struct model_services *services)
{
    struct model_value path = {.struct_size = sizeof path};
    return services->config_value(services->context, "truncate_path", &path) == MODEL_OK &&
           path.kind == MODEL_VALUE_STRING && truncate(path.string, 0) == 0;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct echo_model *model = ((const struct echo_instance *)self)->model;
    const struct model_services *services = model->services;
    const struct model_tensor *in = call->inputs[0];
    int64_t end_ns = services->now_ns(services->context) + model->spin_ns;
    model_status status = model_cancel_status(call->cancel);
    while (model->mode == MODE_SPIN && status == MODEL_OK)
        status = model_cancel_status(call->cancel);
    while (model->mode == MODE_IGNORE_CANCEL && services->now_ns(services->context) < end_ns)
        continue;
    if (model->mode == MODE_FAIL)
        return fail(err, MODEL_INTERNAL, "echo: told to fail by echo_mode");
    if (status != MODEL_OK)
        return fail(err, status, "echo: stopped");
    if (model->mode == MODE_TRUNCATE && !truncate_file(services))
        return fail(err, MODEL_INTERNAL, "echo: cannot truncate truncate_path");
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        status = call->allocate_output(call->context, i, MODEL_F32, 1, in->shape, err);
        if (status != MODEL_OK)
            return status;
        if (in->size_bytes > 0)
            memcpy(call->outputs[i]->data, in->data, (size_t)in->size_bytes);
    }
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct echo_instance *)self)->model->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct echo_model *model = (const struct echo_model *)self;
    const struct model_services *services = model->services;
    struct echo_instance *instance = services->allocate(services->context, sizeof *instance);
    if (instance == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "echo: out of memory");
    *instance = (struct echo_instance){
        {.struct_size = sizeof(struct model_instance), .run = run, .destroy = destroy_instance},
        model};
    *ret = &instance->base;
    return MODEL_OK;
}

static void wait_for_file(const struct echo_model *model)
{
    const struct model_services *services = model->services;
    const int64_t end_ns = services->now_ns(services->context) + 10000000000;
    while (access(model->destroy_wait_path, F_OK) != 0 &&
           services->now_ns(services->context) < end_ns)
        usleep(1000);
    char done[4096];
    (void)snprintf(done, sizeof done, "%s.done", model->destroy_wait_path);
    FILE *file = fopen(done, "w");
    if (file != NULL)
        (void)fclose(file);
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct echo_model *)self)->services;
    struct model_value word = {.struct_size = sizeof word};
    if (services->config_value(services->context, "destroy_log", &word) == MODEL_OK)
        services->log(services->context, MODEL_LOG_WARN, "echo: destroyed");
    if (((struct echo_model *)self)->destroy_wait_path != NULL)
        wait_for_file((struct echo_model *)self);
    services->release(services->context, self);
}

static enum mode read_mode(const struct model_services *services)
{
    static const char *const names[] = {"copy", "spin", "fail", "ignore_cancel", "truncate"};
    struct model_value value = {.struct_size = sizeof value};
    if (services->config_value(services->context, "echo_mode", &value) == MODEL_OK &&
        value.kind == MODEL_VALUE_STRING)
        for (int i = 0; i < 5; i++)
            if (strcmp(value.string, names[i]) == 0)
                return (enum mode)i;
    return MODE_COPY;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct model_value spin_ms = {.struct_size = sizeof spin_ms};
    struct echo_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "echo: out of memory");
    *model =
        (struct echo_model){{sizeof(struct model), &description, create_instance, NULL, destroy},
                            services,
                            read_mode(services),
                            0,
                            NULL};
    if (services->config_value(services->context, "spin_ms", &spin_ms) == MODEL_OK &&
        spin_ms.kind == MODEL_VALUE_NUMBER)
        model->spin_ns = (int64_t)(spin_ms.number * 1e6);
    struct model_value path = {.struct_size = sizeof path};
    if (services->config_value(services->context, "destroy_wait_path", &path) == MODEL_OK)
        model->destroy_wait_path = path.string;
    *ret = &model->base;
    return MODEL_OK;
}
