/* loaded_model.c - see loaded_model.h. model_opening.c does the opening step by step. */
#include "loaded_model.h"
#include "backend_files.h"
#include "batch_queue.h"
#include "secret_memory.h"
#include "errors.h"
#include "files.h"
#include "generation_config.h"
#include "host.h"
#include "image_pipeline.h"
#include "model_cache.h"
#include "model_creating.h"
#include "model_describing.h"
#include "model_guard.h"
#include "model_opening.h"
#include "model_route.h"
#include "result_key.h"
#include "store_lease.h"
#include "text_pipeline.h"
#include "thread_guard.h"

#include <stdlib.h>
#include <string.h>

const char *loaded_model_name(const struct modelhost_model *model)
{
    if (model->name != NULL)
        return model->name;
    return model->package.has_manifest ? model->package.manifest.id : path_base(model->package.dir);
}

const char *loaded_model_plugin_name(const struct modelhost_model *model)
{
    return model->package.plugin_name != NULL ? model->package.plugin_name : model->plugin_path;
}

void loaded_model_retain(struct modelhost_model *model)
{
    (void)atomic_fetch_add(&model->references, 1);
}

static void destroy_plugin_objects(struct modelhost_model *model)
{
    for (uint32_t i = 0; i < model->n_idle; i++)
        hosted_instance_destroy(model->idle[i]);
    thread_guard_enter("destroy");
    if (model->model != NULL)
        model->model->destroy(model->model);
    thread_guard_enter(NULL);
    services_release_scratch();
}

/* Plugin code: on no thread of the application. */
static void destroy(void *argument)
{
    struct modelhost_model *model = argument;
    model_metrics_closed(&model->metrics);
    image_pipeline_destroy(model->image_pipeline);
    text_pipeline_destroy(model->pipeline);
    free(model->generation);
    destroy_plugin_objects(model);
    model_guard_finish(model);
    prepared_share_destroy(model->prepared_share);
    prepared_weights_finish(&model->prepared);
    services_finish(&model->services);
    model_metrics_finish(&model->metrics); /* the plugin counts as long as it lives */
    for (size_t i = 0; i < model->n_guards; i++)
        page_guard_remove(model->guards[i]);
    weight_loading_finish(&model->loading);
    weights_destroy(model->weights);
    store_lease_end(model->lease);
    archive_contents_finish(&model->contents);
    package_finish(&model->package);
    json_free(model->config);
    free(model->guards);
    if (model->config_text != NULL) /* it may have been encrypted */
        secret_wipe(model->config_text, model->config_bytes);
    free(model->config_text);
    free(model->no_weights);
    free(model->plugin_path);
    free(model->name);
    model_describing_finish(model);
    free(model->idle);
    model_route_destroy(model->route);
    model_cache_drop(model->cache);
    if (model->has_mutex)
        uv_mutex_destroy(&model->mutex);
    reaper_drop(model->reaper);
    free(model);
}

void loaded_model_drop(struct modelhost_model *model)
{
    if (model == NULL)
        return;
    struct model_cache *cache = model->cache;
    if (cache != NULL)
        model_cache_retain(cache); /* the model may be gone when it is told */
    const uint32_t left = atomic_fetch_sub(&model->references, 1) - 1;
    if (left == 0) {
        model_route_close(model->route);
        reaper_give(model->reaper, &model->end);
    } else if (left == 1 && cache != NULL)
        model_cache_idle(cache, model);
    model_cache_drop(cache);
}

/* A name by now for other files than those that were read is none. */
static model_status make_result_key(struct modelhost_model *model, struct model_error *err)
{
    model_status status = result_key_of_model(model, model->result_key, err);
    if (status == MODEL_OK && !loaded_model_is_of_its_files(model)) {
        log_write(model->log, MODEL_LOG_WARN,
                  "files in %s were replaced or written over while the model was loaded: its "
                  "results are not kept",
                  model->package.backend_dir);
        model->result_key[0] = '\0';
    }
    return status;
}

model_status loaded_model_create(struct modelhost *host, const struct model_source *source,
                                 struct modelhost_model **ret, struct model_error *err)
{
    struct modelhost_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return error_no_memory(err, "a model");
    atomic_store(&model->references, 1);
    model->host = host;
    reaper_retain(model->reaper = host->reaper);
    model->end =
        (struct reaper_item){NULL, destroy, model, source->options->isolation == MODELHOST_WORKER};
    model->log = reaper_log(model->reaper);
    model->lanes = host->lanes;
    model_metrics_init(&model->metrics, host->metrics.metrics);
    wait_spin_init(&model->lane_account.answer_spin, host->cpus);
    model->load = *source->options;
    model->lane_account.max_abandoned = model->load.max_abandoned_lanes;
    model->lane_account.always_returns = model->load.isolation == MODELHOST_WORKER;
    model->idle = calloc(host->lanes, sizeof(void *));
    model->has_mutex = model->idle != NULL && uv_mutex_init(&model->mutex) == 0;
    model_status status = model->has_mutex ? MODEL_OK : error_no_memory(err, "a model");
    if (status == MODEL_OK && source->chain != NULL)
        status = model_route_create(source->chain, source->position, &model->route, err);
    if (status == MODEL_OK)
        status = model_opening_open(model, source, err);
    if (status == MODEL_OK && host->results != NULL)
        status = make_result_key(model, err);
    if (status == MODEL_OK) {
        model->batching = batch_limits_of(model);
        model_metrics_opened(&model->metrics, model->weights, &model->services.files, &model->plan,
                             model->model->description->memory_bytes, model->load_ns);
        *ret = model;
        return MODEL_OK;
    }
    if (status != MODEL_CANCELLED) /* nobody wants it any more */
        model_metrics_load_failed(&model->metrics);
    reaper_run_on_own_thread(destroy, model);
    return status;
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
        return model_creating_instance(model, ret, err);
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

/* An archive's files are read by it alone. */
static const char *folder_of(const struct modelhost_model *model)
{
    const struct archive *archive = model->package.archive;
    return archive == NULL || archive_is_folder(archive) ? model->package.backend_dir : NULL;
}

void loaded_model_note_files(struct modelhost_model *model)
{
    if (backend_files_stamp(folder_of(model), model->files_stamp, NULL) != MODEL_OK)
        model->files_stamp[0] = '\0';
}

bool loaded_model_is_of_its_files(const struct modelhost_model *model)
{
    char now[SHA256_HEX_BYTES];
    return model->files_stamp[0] != '\0' &&
           backend_files_stamp(folder_of(model), now, NULL) == MODEL_OK &&
           strcmp(now, model->files_stamp) == 0;
}

model_status loaded_model_check_files(struct modelhost_model *model, struct model_error *err)
{
    weight_loading_rest(&model->loading);
    if (model->load.loading == MODELHOST_STREAMING)
        mapped_files_rest(&model->services.files);
    model_status status = prepared_map_check(&model->services.packed.prepared, err);
    if (status == MODEL_OK)
        status = mapped_files_check(&model->services.files, err);
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

/* Under the model's mutex. */
static model_status read_generation(struct modelhost_model *model, struct model_error *err)
{
    struct generation_config *config = malloc(sizeof *config);
    if (config == NULL)
        return error_no_memory(err, "the settings of generating");
    model_status status =
        generation_config_read(model->package.archive, model->package.dir,
                               model->package.backend_dir, model->config, config, err);
    if (status == MODEL_OK)
        model->generation = config;
    else
        free(config);
    return status;
}

model_status loaded_model_generation(struct modelhost_model *model,
                                     const struct generation_config **ret, struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&model->mutex);
    if (model->generation == NULL)
        status = read_generation(model, err);
    if (status == MODEL_OK)
        *ret = model->generation;
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
