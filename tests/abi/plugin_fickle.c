/* plugin_fickle.c - a fixture: a backend that fails on command. Output "y" (F32, ["n"]) is input "x" plus
 * config.json's number "answer", so that a test sees which backend served, and plus the calls that slot 0 has
 * seen before. config.json also says
 *   "control_path"  a file: while it is there run() does what its first byte says: 'f' fails, 'i' says that
 *                   the caller was wrong, 's' spins until it is given up, 'h' until the file says otherwise
 *   "create_fails"  true: create_model() fails
 *   "create_crash"  true: create_model() crashes
 *   "create_pipe"   a named pipe: create_model() waits until somebody has opened it for writing and closed it
 *   "task"          the model's task
 *   "device"        where it says that it computes, whatever it was asked for */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("fickle", "1.0.0", "fickle");

struct fickle_model {
    struct fixture base;
    struct model_description description;
    const char *control_path; /* NULL: none */
    float answer;
};

struct fickle_instance {
    struct fixture_instance base;
    int64_t n_seen; /* calls, of slot 0 */
};

FIXTURE_FLOATS("n", 0);
static const struct model_description description = {FIXTURE_ONE_TO_ONE("Fickle"),
                                                     .memory_bytes = 1000, .max_slots = 1};

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
    const struct fickle_model *model = (const struct fickle_model *)instance->base.model;
    const char order = read_control(model->control_path);
    model_status status = model_cancel_status(call->cancel);
    while (order == 's' && status == MODEL_OK)
        status = model_cancel_status(call->cancel);
    while (order == 'h' && read_control(model->control_path) == 'h')
        continue;
    if (order == 'f')
        return refuse(err, MODEL_INTERNAL, "fickle: told to fail");
    if (order == 'i')
        return refuse(err, MODEL_INVALID_ARGUMENT, "fickle: told to find x wrong");
    if (status != MODEL_OK)
        return refuse(err, status, "fickle: stopped");
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

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fickle_instance), run, keep, ret, err);
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
    wait_for_pipe(config(services, "create_pipe").string);
    if (config_number(services, "create_crash", 0) != 0)
        abort();
    if (config_number(services, "create_fails", 0) != 0)
        return refuse(err, MODEL_INTERNAL, "fickle: told not to open");
    struct fickle_model *model =
        fixture_create_model(services, sizeof *model, NULL, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->description = description;
    model->description.task = config(services, "task").string;
    model->description.device = config(services, "device").string;
    model->base.base.description = &model->description;
    model->control_path = config(services, "control_path").string;
    model->answer = (float)config_number(services, "answer", 0);
    *ret = &model->base.base;
    return MODEL_OK;
}
