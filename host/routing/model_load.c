/* model_load.c - see model_load.h: what the cache needs to know of models. */
#include "model_load.h"
#include "accelerator_start.h"
#include "backend_chain.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "load_options.h"
#include "loaded_model.h"
#include "model_key.h"
#include "model_route.h"
#include "route_order.h"

#define MAX_IDLE_MS (INT64_MAX / NS_PER_MS)

/* ---- models as the cache sees them */

static void retain(void *object)
{
    loaded_model_retain(object);
}

static void drop(void *object)
{
    loaded_model_drop(object);
}

static uint32_t references(const void *object)
{
    return atomic_load(&((const struct modelhost_model *)object)->references);
}

static uint64_t bytes_of(const struct modelhost_model *model)
{
    uint64_t bytes = modelhost_description(model)->memory_bytes;
    for (size_t i = 0; model->weights != NULL && i < weights_n_files(model->weights); i++) {
        const char *path = NULL;
        const uint64_t more = weights_file(model->weights, i, &path).size_bytes;
        bytes = more > UINT64_MAX - bytes ? UINT64_MAX : bytes + more;
    }
    return bytes;
}

/* Of all its backends that are open. */
static uint64_t bytes(const void *object)
{
    uint64_t sum = 0;
    for (const struct modelhost_model *model = route_order_head(object); model != NULL;
         model = route_order_behind(object, model)) {
        const uint64_t more = bytes_of(model);
        sum = more > UINT64_MAX - sum ? UINT64_MAX : sum + more;
    }
    return sum;
}

model_status model_load_create_cache(struct modelhost *host,
                                     const struct modelhost_options *options,
                                     struct model_error *err)
{
    static const struct model_cache_kind models = {retain, drop, references, bytes};
    if (!MODEL_HAS(struct modelhost_options, options, cache_idle_ms))
        return MODEL_OK;
    if (options->cache_idle_ms < 0 || options->cache_idle_ms > MAX_IDLE_MS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "cache_idle_ms is %lld, want 0 to %lld",
                         (long long)options->cache_idle_ms, (long long)MAX_IDLE_MS);
    if (options->cache_items == 0 && (options->cache_bytes > 0 || options->cache_idle_ms > 0))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "cache_bytes and cache_idle_ms want cache_items too: how many models "
                         "stay open at most");
    if (options->cache_items == 0)
        return MODEL_OK;
    const struct model_cache_limits limits = {options->cache_items, options->cache_bytes,
                                              options->cache_idle_ms * NS_PER_MS};
    model_status status = model_cache_create(&limits, &models, host->now_ns, &host->cache, err);
    if (status == MODEL_OK && limits.idle_ns > 0)
        status = background_start(&host->background, model_cache_watch, host->cache, err);
    return status;
}

/* ---- loading */

struct load {
    struct modelhost *host;
    const char *package_dir;
    const struct modelhost_load_options *options;
};

/* Where nothing stands behind the first backend, whoever loads waits for it after all. */
static model_status open_without_waiting(struct backend_chain *chain, struct modelhost_model **ret,
                                         struct model_error *err)
{
    struct modelhost_model *model = NULL;
    model_status status = backend_chain_open(chain, 1, NULL, &model, err);
    if (status != MODEL_OK) {
        status = backend_chain_open_one(chain, 0, NULL, ret, err);
        return status != MODEL_OK ? backend_chain_say_none(chain, 0, status, err) : status;
    }
    status = model_route_start_accelerator(model, err);
    if (status == MODEL_OK)
        *ret = model;
    else
        loaded_model_drop(model);
    return status;
}

static model_status open_package(const struct load *load, struct modelhost_model **ret,
                                 struct model_error *err)
{
    struct backend_chain *chain = NULL;
    model_status status =
        backend_chain_create(load->host, load->package_dir, load->options, &chain, err);
    if (status == MODEL_OK)
        status = accelerator_start_is_wanted(chain) ? open_without_waiting(chain, ret, err)
                                                    : backend_chain_open(chain, 0, NULL, ret, err);
    backend_chain_drop(chain);
    return status;
}

static model_status open_cached(void *context, void **ret, struct model_error *err)
{
    const struct load *load = context;
    struct modelhost_model *model = NULL;
    model_status status = open_package(load, &model, err);
    if (status != MODEL_OK)
        return status;
    model_cache_retain(model->cache = load->host->cache);
    *ret = model;
    return MODEL_OK;
}

model_status model_load(struct modelhost *host, const char *package_dir,
                        const struct modelhost_load_options *options, struct modelhost_model **ret,
                        struct model_error *err)
{
    const struct modelhost_load_options complete = load_options_complete(options);
    struct load load = {host, package_dir, &complete};
    if (host->cache == NULL)
        return open_package(&load, ret, err);
    char key[SHA256_HEX_BYTES];
    void *object = NULL;
    model_status status = model_key_make(package_dir, host->plugin_path, host->store_dir,
                                         complete.backend, &complete, key, err);
    if (status == MODEL_OK)
        status = model_cache_get(host->cache, key, open_cached, &load, &object, err);
    if (status == MODEL_OK)
        *ret = object;
    return status;
}
