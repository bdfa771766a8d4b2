/* plugin_answer.c - a fixture that comes in versions: output "y" (F32, ["n"]) is filled with the digit
 * behind "answer:", which a test replaces in a copy of the file. */
#include "model_abi.h"

#include <stdlib.h>

MODEL_PLUGIN_NOTE("answer", "1.0.0", "echo");

/* volatile: read from the file's data, not folded into the code. */
static const volatile char answer[] = "answer:1";

static const struct model_dimension n_items = {"n", 0, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Answer",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 1,
                                                     .device = "cpu",
                                                     .compute_dtype = "f32",
                                                     .max_batch = INT64_MAX};

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

static void destroy_instance(struct model_instance *self)
{
    free(self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    struct model_instance *instance = malloc(sizeof *instance);
    (void)self;
    (void)err;
    if (instance == NULL)
        return MODEL_OUT_OF_MEMORY;
    *instance = (struct model_instance){
        .struct_size = sizeof *instance, .run = run, .destroy = destroy_instance};
    *ret = instance;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    free(self);
}

MODEL_EXPORT model_status create_model(const struct model_services *services,
                                       const struct model_create_args *args, struct model **ret,
                                       struct model_error *err)
{
    struct model *model = malloc(sizeof *model);
    (void)services;
    (void)args;
    (void)err;
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    *model = (struct model){sizeof *model, &description, create_instance, NULL, destroy};
    *ret = model;
    return MODEL_OK;
}
