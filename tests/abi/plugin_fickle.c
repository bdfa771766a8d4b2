/* plugin_fickle.c - a fixture: a backend that fails on command. Output "y" (F32, ["n"]) is input "x" plus
 * config.json's number "answer", so that a test sees which backend served, and plus the calls that slot 0 has
 * seen before. config.json also says
 *   "control_path"  a file: while it is there run() does what its first byte says: 'f' fails, 'i' says that
 *                   the caller was wrong, 's' spins until it is given up, 'h' until the file says otherwise
 *   "create_fails"  true: create_model() fails
 *   "create_pipe"   a named pipe: create_model() waits until somebody has opened it for writing and closed it
 *   "task"          the model's task */
#include "model_abi.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("fickle", "1.0.0", "fickle");

struct fickle_model {
    struct model base;
    struct model_description description;
    const struct model_services *services;
    const char *control_path; /* NULL: none */
    float answer;
};

struct fickle_instance {
    struct model_instance base;
    const struct fickle_model *model;
    int64_t n_seen; /* calls, of slot 0 */
};

static const struct model_dimension n_items = {"n", 0, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Fickle",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 1,
                                                     .device = "cpu",
                                                     .compute_dtype = "f32",
                                                     .max_batch = INT64_MAX,
                                                     .memory_bytes = 1000,
                                                     .max_slots = 1};

static model_status fail(struct model_error *err, model_status status, const char *sentence)
{
    memcpy(err->message, sentence, strlen(sentence) + 1);
    return status;
}

static char read_control(const char *path)
{
    char order = 0;
    const int file = path != NULL ? open(path, O_RDONLY) : -1;
    if (file >= 0 && read(file, &order, 1) != 1)
        order = 0;
    if (file >= 0)
        (void)close(file);
    return order;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct fickle_instance *instance = (struct fickle_instance *)self;
    const struct fickle_model *model = instance->model;
    const char order = read_control(model->control_path);
    model_status status = model_cancel_status(call->cancel);
    while (order == 's' && status == MODEL_OK)
        status = model_cancel_status(call->cancel);
    while (order == 'h' && read_control(model->control_path) == 'h')
        continue;
    if (order == 'f')
        return fail(err, MODEL_INTERNAL, "fickle: told to fail");
    if (order == 'i')
        return fail(err, MODEL_INVALID_ARGUMENT, "fickle: told to find x wrong");
    if (status != MODEL_OK)
        return fail(err, status, "fickle: stopped");
    const struct model_tensor *in = call->inputs[0];
    status = call->allocate_output(call->context, 0, MODEL_F32, 1, in->shape, err);
    const float more = model->answer + (float)(call->slots != NULL ? instance->n_seen++ : 0);
    for (int64_t i = 0; i < in->shape[0] && status == MODEL_OK; i++)
        ((float *)call->outputs[0]->data)[i] = ((const float *)in->data)[i] + more;
    return status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    (void)to;
    (void)from;
    (void)n_tokens;
    (void)err;
    ((struct fickle_instance *)self)->n_seen = 0;
    *ret_kept = 0;
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct fickle_instance *)self)->model->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct fickle_model *model = (const struct fickle_model *)self;
    struct fickle_instance *instance =
        model->services->allocate(model->services->context, sizeof *instance);
    if (instance == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "fickle: out of memory");
    *instance = (struct fickle_instance){.base = {.struct_size = sizeof(struct model_instance),
                                                  .run = run,
                                                  .destroy = destroy_instance,
                                                  .keep = keep},
                                         .model = model};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct fickle_model *)self)->services;
    services->release(services->context, self);
}

static const char *text(const struct model_services *services, const char *name)
{
    struct model_value value = {.struct_size = sizeof value};
    return services->config_value(services->context, name, &value) == MODEL_OK ? value.string
                                                                               : NULL;
}

static double number(const struct model_services *services, const char *name)
{
    struct model_value value = {.struct_size = sizeof value};
    return services->config_value(services->context, name, &value) == MODEL_OK ? value.number : 0;
}

static void wait_for_pipe(const char *path)
{
    char byte;
    const int pipe = path != NULL ? open(path, O_RDONLY) : -1;
    while (pipe >= 0 && read(pipe, &byte, 1) > 0)
        continue;
    if (pipe >= 0)
        (void)close(pipe);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    wait_for_pipe(text(services, "create_pipe"));
    if (number(services, "create_fails") != 0)
        return fail(err, MODEL_INTERNAL, "fickle: told not to open");
    struct fickle_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "fickle: out of memory");
    *model = (struct fickle_model){.base = {.struct_size = sizeof(struct model),
                                            .create_instance = create_instance,
                                            .destroy = destroy},
                                   .description = description,
                                   .services = services,
                                   .control_path = text(services, "control_path"),
                                   .answer = (float)number(services, "answer")};
    model->description.task = text(services, "task");
    model->base.description = &model->description;
    *ret = &model->base;
    return MODEL_OK;
}
