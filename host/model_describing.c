/* model_describing.c - see model_describing.h. A text that was given out stays: who asked may still read it. A
 * new one is made only when other processes run, or backends serve, than it says. */
#include "model_describing.h"
#include "compute_dtype.h"
#include "errors.h"
#include "model_info.h"
#include "model_route.h"
#include "worker_model.h"

#include <stdlib.h>
#include <string.h>

/* One of a list; the model's mutex guards its head. */
struct model_text {
    struct model_text *next;
    char *json;
    uint32_t route_stamp;
    uint32_t n_pids;
    int64_t pids[WORKER_MAX_PROCESSES];
};

static uint32_t find_pids(const struct modelhost_model *model, int64_t pids[WORKER_MAX_PROCESSES])
{
    return model->load.isolation == MODELHOST_WORKER ? worker_model_pids(model->model, pids) : 0;
}

static uint32_t stamp_of(const struct modelhost_model *model)
{
    return model->route != NULL ? model_route_stamp(model) : 0;
}

static void add_isolation(json_node *info, const struct modelhost_model *model,
                          const struct model_text *text)
{
    const bool is_in_worker = model->load.isolation == MODELHOST_WORKER;
    (void)json_add_string(info, "isolation", is_in_worker ? "worker" : "inproc");
    json_node *pids = is_in_worker ? json_add_array(info, "worker_pids") : NULL;
    for (uint32_t i = 0; pids != NULL && i < text->n_pids; i++)
        (void)json_add_number(pids, NULL, (double)text->pids[i]);
}

static model_status write_text(const struct modelhost_model *model, struct model_text *text,
                               struct model_error *err)
{
    json_node *info = NULL;
    model_status status = model_info_collect_with(&model->package, model->weights,
                                                  model->model->description, &info, err);
    if (status != MODEL_OK)
        return status;
    (void)json_add_string(info, "path", model->package.dir);
    (void)json_add_string(info, "plugin_path", loaded_model_plugin_name(model));
    if (model->package.has_manifest) {
        (void)json_add_string(info, "id", model->package.manifest.id);
        (void)json_add_string(info, "revision", model->package.manifest.revision);
    }
    (void)json_add_string(info, "compute_dtype", compute_dtype_of(model->model->description));
    if (model->plan.struct_size > 0)
        device_plan_describe(&model->plan, info);
    if (model->route != NULL)
        model_route_describe(model, info);
    add_isolation(info, model, text);
    text->json = json_print(info, true);
    json_free(info);
    return text->json != NULL ? MODEL_OK : error_no_memory(err, "a description");
}

/* Under the mutex. */
static model_status add_text(struct modelhost_model *model, const int64_t *pids, uint32_t n_pids,
                             struct model_error *err)
{
    struct model_text *text = calloc(1, sizeof *text);
    if (text == NULL)
        return error_no_memory(err, "a description");
    text->route_stamp =
        stamp_of(model); /* before it is written: a change meanwhile is seen next time */
    text->n_pids = n_pids;
    memcpy(text->pids, pids, n_pids * sizeof *pids);
    model_status status = write_text(model, text, err);
    if (status != MODEL_OK) {
        free(text);
        return status;
    }
    text->next = model->texts;
    model->texts = text;
    return MODEL_OK;
}

model_status model_describing_start(struct modelhost_model *model, struct model_error *err)
{
    int64_t pids[WORKER_MAX_PROCESSES];
    const uint32_t n_pids = find_pids(model, pids);
    return add_text(model, pids, n_pids, err);
}

const char *model_describing_text(struct modelhost_model *model)
{
    int64_t pids[WORKER_MAX_PROCESSES];
    const uint32_t n_pids = find_pids(model, pids);
    uv_mutex_lock(&model->mutex);
    if (n_pids != model->texts->n_pids || stamp_of(model) != model->texts->route_stamp ||
        memcmp(pids, model->texts->pids, n_pids * sizeof *pids) != 0)
        (void)add_text(model, pids, n_pids, NULL); /* without memory the last one stays */
    const char *json = model->texts->json;
    uv_mutex_unlock(&model->mutex);
    return json;
}

void model_describing_finish(struct modelhost_model *model)
{
    for (struct model_text *text = model->texts, *next = NULL; text != NULL; text = next) {
        next = text->next;
        free(text->json);
        free(text);
    }
}
