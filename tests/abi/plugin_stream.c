/* plugin_stream.c - a fixture: copies input "x" (F32, ["n"]) to output "y", and emits each number before
 * the answer. A first number below zero asks for something else:
 *   -1   emits a tensor that is no output, and overlooks that it is refused
 *   -3   the same, and returns the status
 *   -2   emits through the sink of the call before, as a thread that comes late does, and answers with the
 *        status it got */
#include "model_abi.h"

#include <string.h>

MODEL_PLUGIN_NOTE("stream", "1.0.0", "stream");

struct stream_model {
    struct model base;
    const struct model_services *services;
};

struct stream_instance {
    struct model_instance base;
    const struct model_services *services;
    const struct model_stream_sink *last_sink;
};

static const struct model_dimension n_items = {"n", 1, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Stream",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 1,
                                                     .device = "cpu",
                                                     .compute_dtype = "f32",
                                                     .max_batch = INT64_MAX,
                                                     .capabilities = MODEL_CAN_STREAM,
                                                     .cancel_grain = MODEL_CANCEL_TOKEN};

static model_status emit(const struct model_stream_sink *sink, const char *name, float *value)
{
    const struct model_tensor piece = {.struct_size = sizeof piece,
                                       .name = name,
                                       .data = value,
                                       .size_bytes = sizeof *value,
                                       .dtype = MODEL_F32,
                                       .rank = 1,
                                       .shape = {1},
                                       .strides = {1}};
    const struct model_tensor *const pieces[] = {&piece};
    return sink->emit(sink->context, pieces, 1);
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct stream_instance *instance = (struct stream_instance *)self;
    float *numbers = call->inputs[0]->data;
    model_status status =
        call->allocate_output(call->context, 0, MODEL_F32, 1, call->inputs[0]->shape, err);
    if (status != MODEL_OK)
        return status;
    memcpy(call->outputs[0]->data, numbers, (size_t)call->inputs[0]->size_bytes);
    float *answer = call->outputs[0]->data;
    if (numbers[0] == -2.0f)
        answer[0] = (float)emit(instance->last_sink, "y", numbers);
    else if (numbers[0] == -1.0f)
        (void)emit(call->sink, "x", numbers);
    else if (numbers[0] == -3.0f)
        status = emit(call->sink, "x", numbers);
    else
        for (int64_t i = 0; call->sink != NULL && status == MODEL_OK; i++) {
            if (i == call->inputs[0]->shape[0])
                break;
            status = emit(call->sink, "y", &numbers[i]);
        }
    if (call->sink != NULL)
        instance->last_sink = call->sink;
    return status;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct stream_instance *)self)->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct model_services *services = ((const struct stream_model *)self)->services;
    struct stream_instance *instance = services->allocate(services->context, sizeof *instance);
    (void)err;
    if (instance == NULL)
        return MODEL_OUT_OF_MEMORY;
    *instance = (struct stream_instance){
        {.struct_size = sizeof(struct model_instance), .run = run, .destroy = destroy_instance},
        services,
        NULL};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct stream_model *)self)->services;
    services->release(services->context, self);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    struct stream_model *model = services->allocate(services->context, sizeof *model);
    (void)args;
    (void)err;
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    *model = (struct stream_model){
        {sizeof(struct model), &description, create_instance, NULL, destroy}, services};
    *ret = &model->base;
    return MODEL_OK;
}
