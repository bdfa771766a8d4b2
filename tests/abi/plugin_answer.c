/* plugin_answer.c - a fixture that comes in versions: output "y" (F32, ["n"]) is filled with the digit
 * behind "answer:", which a test replaces in a copy of the file. */
#include "fixture.h"

MODEL_PLUGIN_NOTE("answer", "1.0.0", "echo");

/* volatile: read from the file's data, not folded into the code. */
static const volatile char answer[] = "answer:1";

FIXTURE_FLOATS("n", 0);
static const struct model_description description = {FIXTURE_ONE_TO_ONE("Answer")};

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct model_tensor *in = call->inputs[0];
    (void)self;
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 1, in->shape, err);
    for (int64_t i = 0; i < in->shape[0] && status == MODEL_OK; i++)
        ((float *)call->outputs[0]->data)[i] = (float)(answer[sizeof answer - 2] - '0');
    return status;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

MODEL_EXPORT model_status create_model(const struct model_services *services,
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
