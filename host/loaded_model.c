/* loaded_model.c - see loaded_model.h. model_opening.c does the opening step by step. */
#include "loaded_model.h"
#include "errors.h"
#include "image_pipeline.h"
#include "model_opening.h"
#include "text_pipeline.h"

#include <stdlib.h>

void loaded_model_retain(struct modelhost_model *model)
{
    (void)atomic_fetch_add(&model->references, 1);
}

static void destroy_plugin_objects(void *argument)
{
    struct modelhost_model *model = argument;
    for (uint32_t i = 0; i < model->n_idle; i++)
        model->idle[i]->destroy(model->idle[i]);
    if (model->model != NULL)
        model->model->destroy(model->model);
    services_release_scratch();
}

static void destroy(struct modelhost_model *model)
{
    image_pipeline_destroy(model->image_pipeline);
    text_pipeline_destroy(model->pipeline);
    if (model->model != NULL)
        model_opening_run_on_own_thread(destroy_plugin_objects, model);
    services_finish(&model->services);
    for (size_t i = 0; i < model->n_guards; i++)
        page_guard_remove(model->guards[i]);
    weights_destroy(model->weights);
    package_finish(&model->package);
    json_free(model->config);
    free(model->guards);
    free(model->config_text);
    free(model->plugin_path);
    free(model->description_json);
    free(model->idle);
    if (model->has_mutex)
        uv_mutex_destroy(&model->mutex);
    free(model);
}

void loaded_model_drop(struct modelhost_model *model)
{
    if (model != NULL && atomic_fetch_sub(&model->references, 1) == 1)
        destroy(model);
}

model_status loaded_model_create(struct modelhost *host, const struct log_sink *log,
                                 const char *package_dir, const char *plugin_path, uint32_t lanes,
                                 uint32_t threads, struct modelhost_model **ret,
                                 struct model_error *err)
{
    struct modelhost_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return error_no_memory(err, "a model");
    atomic_store(&model->references, 1);
    model->host = host;
    model->log = log;
    model->lanes = lanes;
    model->idle = calloc(lanes, sizeof(void *));
    model->has_mutex = model->idle != NULL && uv_mutex_init(&model->mutex) == 0;
    model_status status = model->has_mutex
                              ? model_opening_open(model, package_dir, plugin_path, threads, err)
                              : error_no_memory(err, "a model");
    if (status != MODEL_OK)
        destroy(model);
    else
        *ret = model;
    return status;
}

model_status loaded_model_take_instance(struct modelhost_model *model, struct model_instance **ret,
                                        struct model_error *err)
{
    uv_mutex_lock(&model->mutex);
    struct model_instance *instance = model->n_idle > 0 ? model->idle[--model->n_idle] : NULL;
    uv_mutex_unlock(&model->mutex);
    if (instance == NULL)
        return model_opening_create_instance(model, ret, err);
    *ret = instance;
    return MODEL_OK;
}

void loaded_model_return_instance(struct modelhost_model *model, struct model_instance *instance)
{
    uv_mutex_lock(&model->mutex);
    int kept = model->n_idle < model->lanes;
    if (kept)
        model->idle[model->n_idle++] = instance;
    uv_mutex_unlock(&model->mutex);
    if (!kept)
        instance->destroy(instance);
}

model_status loaded_model_check_files(const struct modelhost_model *model, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < model->n_guards && status == MODEL_OK; i++) {
        const char *path = NULL;
        (void)weights_file(model->weights, i, &path);
        status = page_guard_check(model->guards[i], path, err);
    }
    return status;
}

model_status loaded_model_pipeline(struct modelhost_model *model, struct text_pipeline **ret,
                                   struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&model->mutex);
    if (model->pipeline == NULL)
        status = text_pipeline_create(&model->package, model->model->description, model->config,
                                      &model->pipeline, err);
    if (status == MODEL_OK)
        *ret = model->pipeline;
    uv_mutex_unlock(&model->mutex);
    return status;
}

model_status loaded_model_image_pipeline(struct modelhost_model *model, struct image_pipeline **ret,
                                         struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&model->mutex);
    if (model->image_pipeline == NULL)
        status = image_pipeline_create(&model->package, model->model->description, model->config,
                                       &model->image_pipeline, err);
    if (status == MODEL_OK)
        *ret = model->image_pipeline;
    uv_mutex_unlock(&model->mutex);
    return status;
}
