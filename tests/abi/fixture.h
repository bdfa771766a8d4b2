/* fixture.h - what fixture plugins have in common: how their models and instances begin, are made and freed, and
 * the description of those that take and give a row of floats. Each fixture still shows all of what is special in it. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "model_abi.h"

#include <string.h>

/* A fixture's model begins with this. */
struct fixture {
    struct model base;
    const struct model_services *services;
};

/* And its instances with this. */
struct fixture_instance {
    struct model_instance base;
    const struct fixture *model;
};

typedef model_status (*fixture_run)(struct model_instance *, const struct model_call *,
                                    struct model_error *);
typedef model_status (*fixture_keep)(struct model_instance *, uint32_t, uint32_t, int64_t,
                                     int64_t *, struct model_error *);
typedef model_status (*fixture_create)(const struct model *, struct model_instance **,
                                       struct model_error *);

static inline model_status refuse(struct model_error *err, model_status status,
                                  const char *sentence)
{
    memcpy(err->message, sentence, strlen(sentence) + 1);
    return status;
}

/* ---- config.json: a value, of zeros when it is not there */

static inline struct model_value config(const struct model_services *services, const char *name)
{
    struct model_value value = {.struct_size = sizeof value};
    (void)services->config_value(services->context, name, &value);
    return value;
}

static inline double config_number(const struct model_services *services, const char *name,
                                   double fallback)
{
    const struct model_value value = config(services, name);
    return value.kind == MODEL_VALUE_NUMBER || value.kind == MODEL_VALUE_BOOL ? value.number
                                                                              : fallback;
}

/* ---- making and freeing */

static inline void fixture_destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct fixture_instance *)self)->model->services;
    services->release(services->context, self);
}

/* Of so many bytes, which are 0 behind the beginning. `keep`: NULL, or what it is. */
static inline model_status fixture_create_instance(const struct model *self, size_t size_bytes,
                                                   fixture_run run, fixture_keep keep,
                                                   struct model_instance **ret,
                                                   struct model_error *err)
{
    const struct fixture *model = (const struct fixture *)self;
    struct fixture_instance *instance =
        model->services->allocate(model->services->context, size_bytes);
    if (instance == NULL)
        return refuse(err, MODEL_OUT_OF_MEMORY, "out of memory for an instance");
    memset(instance, 0, size_bytes);
    instance->base =
        (struct model_instance){sizeof instance->base, run, fixture_destroy_instance, keep};
    instance->model = model;
    *ret = &instance->base;
    return MODEL_OK;
}

static inline void fixture_destroy(struct model *self)
{
    const struct model_services *services = ((struct fixture *)self)->services;
    services->release(services->context, self);
}

/* Of so many bytes, which are 0 behind the beginning; NULL: no memory, and the sentence is written. */
static inline void *fixture_create_model(const struct model_services *services, size_t size_bytes,
                                         const struct model_description *description,
                                         fixture_create create_instance, struct model_error *err)
{
    struct fixture *model = services->allocate(services->context, size_bytes);
    if (model == NULL) {
        (void)refuse(err, MODEL_OUT_OF_MEMORY, "out of memory for a model");
        return NULL;
    }
    memset(model, 0, size_bytes);
    model->base =
        (struct model){sizeof model->base, description, create_instance, NULL, fixture_destroy};
    model->services = services;
    return model;
}

/* ---- rows of floats */

/* Input "x" and output "y" of one F32 dimension each, of this name and at least so long: `inputs`, `outputs`. */
#define FIXTURE_FLOATS(dimension_, least_)                                                         \
    static const struct model_dimension n_items = {dimension_, least_, INT64_MAX};                 \
    static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};       \
    static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};       \
    static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y}

/* What their descriptions have in common. */
#define FIXTURE_ONE_TO_ONE(architecture_)                                                          \
    .struct_size = sizeof(struct model_description), .architecture = architecture_,                \
    .inputs = inputs, .outputs = outputs, .n_inputs = 1, .n_outputs = 1, .device = "cpu",          \
    .compute_dtype = "f32", .max_batch = INT64_MAX

#endif
