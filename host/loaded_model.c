/* loaded_model.c - see loaded_model.h. model_opening.c does the opening step by step. */
#include "loaded_model.h"
#include "batch_queue.h"
#include "errors.h"
#include "host.h"
#include "image_pipeline.h"
#include "model_opening.h"
#include "result_key.h"
#include "text_pipeline.h"

#include <stdlib.h>

void loaded_model_retain(struct modelhost_model *model)
{
    (void)atomic_fetch_add(&model->references, 1);
}

static void destroy_plugin_objects(struct modelhost_model *model)
{
    for (uint32_t i = 0; i < model->n_idle; i++)
        hosted_instance_destroy(model->idle[i]);
    if (model->model != NULL)
        model->model->destroy(model->model);
    services_release_scratch();
}

/* Plugin code: on no thread of the application. */
static void destroy(void *argument)
{
    struct modelhost_model *model = argument;
    image_pipeline_destroy(model->image_pipeline);
    text_pipeline_destroy(model->pipeline);
    destroy_plugin_objects(model);
    services_finish(&model->services);
    for (size_t i = 0; i < model->n_guards; i++)
        page_guard_remove(model->guards[i]);
    weights_destroy(model->weights);
    package_finish(&model->package);
    json_free(model->config);
    free(model->guards);
    free(model->config_text);
    free(model->no_weights);
    free(model->plugin_path);
    free(model->description_json);
    free(model->idle);
    if (model->has_mutex)
        uv_mutex_destroy(&model->mutex);
    reaper_drop(model->reaper);
    free(model);
}

void loaded_model_drop(struct modelhost_model *model)
{
    if (model != NULL && atomic_fetch_sub(&model->references, 1) == 1)
        reaper_give(model->reaper, &model->end);
}

model_status loaded_model_create(struct modelhost *host, const char *package_dir,
                                 const char *plugin_path, uint32_t lanes, uint32_t threads,
                                 struct modelhost_model **ret, struct model_error *err)
{
    struct modelhost_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return error_no_memory(err, "a model");
    atomic_store(&model->references, 1);
    model->host = host;
    reaper_retain(model->reaper = host->reaper);
    model->end = (struct reaper_item){NULL, destroy, model};
    model->log = reaper_log(model->reaper);
    model->lanes = lanes;
    wait_spin_init(&model->lane_account.answer_spin, host->cpus);
    model->idle = calloc(lanes, sizeof(void *));
    model->has_mutex = model->idle != NULL && uv_mutex_init(&model->mutex) == 0;
    model_status status = model->has_mutex
                              ? model_opening_open(model, package_dir, plugin_path, threads, err)
                              : error_no_memory(err, "a model");
    if (status == MODEL_OK && host->results != NULL)
        status = result_key_of_model(model, model->result_key, err);
    if (status != MODEL_OK)
        reaper_run_on_own_thread(destroy, model);
    else
        *ret = model;
    return status;
}

void loaded_model_set_batching(struct modelhost_model *model, const struct batch_limits *limits)
{
    model->batching = *limits;
    batch_limits_fit(model->model->description, model->package.dir, model->log, &model->batching);
}

/* Under the mutex: the place of the idle instance that has read the most of the ids; without ids, or
 * when none has read any, that of the last one. */
static uint32_t best_idle(const struct modelhost_model *model, const int64_t *ids, size_t n_ids)
{
    uint32_t best = model->n_idle - 1;
    size_t best_common = 0;
    for (uint32_t i = 0; i < model->n_idle && n_ids > 0 && model->idle[i]->n_slots > 0; i++) {
        size_t common = 0;
        (void)hosted_instance_best_slot(model->idle[i], ids, n_ids, &common);
        if (common > best_common) {
            best_common = common;
            best = i;
        }
    }
    return best;
}

model_status loaded_model_take_instance(struct modelhost_model *model, const int64_t *ids,
                                        size_t n_ids, struct hosted_instance **ret,
                                        struct model_error *err)
{
    struct hosted_instance *instance = NULL;
    uv_mutex_lock(&model->mutex);
    if (model->n_idle > 0) {
        const uint32_t best = best_idle(model, ids, n_ids);
        instance = model->idle[best];
        model->idle[best] = model->idle[--model->n_idle];
    }
    uv_mutex_unlock(&model->mutex);
    if (instance == NULL)
        return model_opening_create_instance(model, ret, err);
    *ret = instance;
    return MODEL_OK;
}

bool loaded_model_keep_instance(struct modelhost_model *model, struct hosted_instance *instance)
{
    uv_mutex_lock(&model->mutex);
    bool kept = model->n_idle < model->lanes;
    if (kept)
        model->idle[model->n_idle++] = instance;
    uv_mutex_unlock(&model->mutex);
    return kept;
}

void loaded_model_return_instance(struct modelhost_model *model, struct hosted_instance *instance)
{
    if (!loaded_model_keep_instance(model, instance))
        hosted_instance_destroy(instance);
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
    if (status != MODEL_OK)
        package_advise(&model->package, status, err);
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
