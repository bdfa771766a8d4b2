/* accelerator_start.c - see accelerator_start.h. The opening holds no reference of its owner: a model that is
 * released goes, and the opening sees that at its token. */
#include "accelerator_start.h"
#include "backend_match.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "route_opening.h"

#include <stdlib.h>
#include <string.h>

struct accelerator_start {
    _Atomic uint32_t references; /* the owner's route, the opening */
    struct backend_chain *chain; /* holds a reference */
    char *name;                  /* of the model, in log lines and metrics */
    size_t serving;              /* the owner's position */
    struct background_token token;
    _Atomic enum accelerator_state state;
    struct modelhost_model
        *model; /* holds a reference; set before the state is ACCELERATOR_READY */

    uv_mutex_t mutex;              /* guards what follows */
    struct modelhost_model *owner; /* NULL: it has gone */
};

bool accelerator_start_is_wanted(const struct backend_chain *chain)
{
    const int32_t wish = chain->options.accelerator_start;
    return chain->order.n_names > 1 && (wish == MODELHOST_ACCELERATOR_BACKGROUND ||
                                        (wish == MODELHOST_ACCELERATOR_DEFAULT &&
                                         backend_chain_wants_worker(chain->order.names[0])));
}

enum accelerator_state accelerator_start_state(const struct accelerator_start *start)
{
    return atomic_load(&start->state);
}

struct modelhost_model *accelerator_start_model(const struct accelerator_start *start)
{
    return start != NULL && accelerator_start_state(start) == ACCELERATOR_READY ? start->model
                                                                                : NULL;
}

size_t accelerator_start_first_known(const struct accelerator_start *start)
{
    return start != NULL && accelerator_start_state(start) != ACCELERATOR_REFUSED ? 1 : 0;
}

/* ---- opening */

/* A model whose plugin does without its accelerator is no better in another process. */
static model_status check_gain(const struct modelhost_model *owner,
                               const struct modelhost_model *model, struct model_error *err)
{
    if (model->plan.by_kernels == 0 || owner->plan.by_kernels == 0 ||
        strcmp(model->package.backend_dir, owner->package.backend_dir) != 0)
        return MODEL_OK;
    return error_set(
        err, MODEL_UNSUPPORTED,
        "its plugin computes it by the kernels, as '%s' does; where it was not told to, a "
        "warning of its process says why",
        owner->package.backend);
}

/* Makes it the owner's first choice, or says why not; the owner's description is not looked at behind
 * accelerator_start_close(). Whether the owner is there still. */
static bool join_owner(struct accelerator_start *start, struct modelhost_model *model,
                       model_status *status, struct model_error *err)
{
    uv_mutex_lock(&start->mutex);
    const bool is_wanted = start->owner != NULL;
    if (is_wanted && *status == MODEL_OK) {
        *status = backend_match_fully(modelhost_description(start->owner),
                                      modelhost_description(model), err);
        if (*status == MODEL_OK)
            *status = check_gain(start->owner, model, err);
        if (*status != MODEL_OK)
            backend_chain_refuse(start->chain, 0, err->message);
    }
    const bool is_ready = is_wanted && *status == MODEL_OK;
    if (is_ready) {
        model->route->is_in_front = true;
        start->model = model;
    }
    if (is_wanted)
        atomic_store(&start->state, is_ready ? ACCELERATOR_READY : ACCELERATOR_REFUSED);
    uv_mutex_unlock(&start->mutex);
    if (!is_ready)
        loaded_model_drop(model);
    return is_wanted;
}

static void tell(const struct accelerator_start *start, model_status status,
                 const struct model_error *err)
{
    const struct backend_chain *chain = start->chain;
    const char *backend = chain->order.names[0], *other = chain->order.names[start->serving];
    struct metric_series *series =
        metrics_series(chain->host->metrics.metrics, start->name, backend);
    metrics_add(series, METRIC_ACCELERATOR_STARTS, status == MODEL_OK ? LOAD_OK : LOAD_ERROR, 1);
    if (status == MODEL_OK)
        log_write(chain->log, MODEL_LOG_INFO, "backend '%s' is ready, and comes before '%s' now",
                  backend, other);
    else
        log_write(chain->log, MODEL_LOG_WARN, "backend '%s' did not open, '%s' goes on serving: %s",
                  backend, other, err->message);
}

static void open_first(void *argument)
{
    struct accelerator_start *start = argument;
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const struct log_subject before = log_set_subject((struct log_subject){start->name, 0});
    model_status status =
        backend_chain_open_one(start->chain, 0, &start->token.cancelled, &model, &err);
    const bool is_wanted = join_owner(start, model, &status, &err);
    if (is_wanted && __atomic_load_n(&start->token.cancelled, __ATOMIC_ACQUIRE) == 0)
        tell(start, status, &err); /* else the host ends */
    (void)log_set_subject(before);
    background_forget(&start->chain->host->background, &start->token);
    accelerator_start_drop(start);
}

/* ---- life */

void accelerator_start_drop(struct accelerator_start *start)
{
    if (start == NULL || atomic_fetch_sub(&start->references, 1) != 1)
        return;
    loaded_model_drop(start->model);
    backend_chain_drop(start->chain);
    uv_mutex_destroy(&start->mutex);
    free(start->name);
    free(start);
}

void accelerator_start_close(struct accelerator_start *start)
{
    if (start == NULL)
        return;
    uv_mutex_lock(&start->mutex);
    start->owner = NULL;
    uv_mutex_unlock(&start->mutex);
    background_raise(&start->token);
}

model_status accelerator_start_create(struct modelhost_model *owner, struct accelerator_start **ret,
                                      struct model_error *err)
{
    struct backend_chain *chain = owner->route->chain;
    struct background *background = &chain->host->background;
    struct accelerator_start *start = calloc(1, sizeof *start);
    char *name = text_format("%s", loaded_model_name(owner));
    if (start == NULL || name == NULL || uv_mutex_init(&start->mutex) != 0) {
        free(start);
        free(name);
        return error_no_memory(err, "a model");
    }
    atomic_store(&start->references, 2);
    atomic_store(&start->state, ACCELERATOR_LOADING);
    backend_chain_retain(start->chain = chain);
    start->name = name;
    start->serving = owner->route->position;
    start->owner = owner;
    background_watch(background, &start->token);
    model_status status = background_start(background, open_first, start, err);
    if (status == MODEL_OK) {
        *ret = start;
        return status;
    }
    background_forget(background, &start->token);
    accelerator_start_drop(start); /* the opening's */
    accelerator_start_drop(start);
    return status;
}
