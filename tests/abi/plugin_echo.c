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
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("echo", "1.0.0", "echo");

enum mode { MODE_COPY, MODE_SPIN, MODE_FAIL, MODE_IGNORE_CANCEL, MODE_TRUNCATE };

struct echo_model {
    struct fixture base;
    enum mode mode;
    int64_t spin_ns;
    const char *destroy_wait_path; /* NULL: none */
};

FIXTURE_FLOATS("n", 0);
static const struct model_description description = {FIXTURE_ONE_TO_ONE("Echo"),
                                                     .cancel_grain = MODEL_CANCEL_LAYER};

static int truncate_file(const struct model_services *services)
{
    const struct model_value path = config(services, "truncate_path");
    return path.kind == MODEL_VALUE_STRING && truncate(path.string, 0) == 0;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct echo_model *model =
        (const struct echo_model *)((const struct fixture_instance *)self)->model;
    const struct model_services *services = model->base.services;
    const struct model_tensor *in = call->inputs[0];
    int64_t end_ns = services->now_ns(services->context) + model->spin_ns;
    model_status status = model_cancel_status(call->cancel);
    while (model->mode == MODE_SPIN && status == MODEL_OK)
        status = model_cancel_status(call->cancel);
    while (model->mode == MODE_IGNORE_CANCEL && services->now_ns(services->context) < end_ns)
        continue;
    if (model->mode == MODE_FAIL)
        return refuse(err, MODEL_INTERNAL, "echo: told to fail by echo_mode");
    if (status != MODEL_OK)
        return refuse(err, status, "echo: stopped");
    if (model->mode == MODE_TRUNCATE && !truncate_file(services))
        return refuse(err, MODEL_INTERNAL, "echo: cannot truncate truncate_path");
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        status = call->allocate_output(call->context, i, MODEL_F32, 1, in->shape, err);
        if (status != MODEL_OK)
            return status;
        if (in->size_bytes > 0)
            memcpy(call->outputs[i]->data, in->data, (size_t)in->size_bytes);
    }
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

static void wait_for_file(const struct echo_model *model)
{
    const struct model_services *services = model->base.services;
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
    const struct echo_model *model = (const struct echo_model *)self;
    const struct model_services *services = model->base.services;
    struct model_value word = {.struct_size = sizeof word};
    if (services->config_value(services->context, "destroy_log", &word) == MODEL_OK)
        services->log(services->context, MODEL_LOG_WARN, "echo: destroyed");
    if (model->destroy_wait_path != NULL)
        wait_for_file(model);
    fixture_destroy(self);
}

static enum mode read_mode(const struct model_services *services)
{
    static const char *const names[] = {"copy", "spin", "fail", "ignore_cancel", "truncate"};
    const struct model_value value = config(services, "echo_mode");
    if (value.kind == MODEL_VALUE_STRING)
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
    struct echo_model *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->base.base.destroy = destroy;
    model->mode = read_mode(services);
    model->spin_ns = (int64_t)(config_number(services, "spin_ms", 0) * 1e6);
    model->destroy_wait_path = config(services, "destroy_wait_path").string;
    *ret = &model->base.base;
    return MODEL_OK;
}
