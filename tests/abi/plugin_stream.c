/* plugin_stream.c - a fixture: copies input "x" (F32, ["n"]) to output "y", and emits each number before
 * the answer. A first number below zero asks for something else:
 *   -1   emits a tensor that is no output, and overlooks that it is refused
 *   -3   the same, and returns the status
 *   -2   emits through the sink of the call before, as a thread that comes late does, and answers with the
 *        status it got */
#include "fixture.h"

MODEL_PLUGIN_NOTE("stream", "1.0.0", "stream");

struct stream_instance {
    struct fixture_instance base;
    const struct model_stream_sink *last_sink;
};

FIXTURE_FLOATS("n", 1);
static const struct model_description description = {FIXTURE_ONE_TO_ONE("Stream"),
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

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct stream_instance), run, NULL, ret, err);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct fixture *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    *ret = &model->base;
    return MODEL_OK;
}
